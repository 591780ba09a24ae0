"""How far pip has come, read off the lines it prints. No bpy here."""
import re

# Megabytes of the large wheels: a bar that counts packages would stand still for most of the download.
SIZES = {"torch": 200.0, "triton": 180.0, "llvmlite": 42.0, "scipy": 35.0, "numpy": 17.0, "scikit-learn": 10.0, "sympy": 6.0,
         "numba": 4.0}
SMALL, NVIDIA = 1.0, 150.0          # of packages not named above; those of CUDA
RESOLVE, FETCH = 0.1, 0.85          # shares of the bar at the end of resolving and of downloading
NAME = re.compile(r"^(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*?)-\d")


class PipProgress:
    """Feed it pip's lines; `fraction` (0..1, never falling) and `step` (a short text) say where it is.

    names: packages that the command installs, as in the lock. Understands the usual output and `--progress-bar raw`.
    """

    def __init__(self, names):
        self.left = sizes(names)
        self.installing = {}
        self.total = sum(self.left.values()) or SMALL
        self.count, self.seen = max(len(self.left), 1), 0
        self.current, self.part = None, 0.0
        self.fraction, self.step = 0.0, ""

    def read(self, line):
        """Take one line of pip's output."""
        text = line.strip()
        word, _, rest = text.partition(" ")
        if word == "Collecting":
            self.seen += 1
            self._reach(RESOLVE * self.seen / self.count)
            self.step = text.split(" (")[0][:60]
        elif word == "Progress":
            self._raw(rest)
        elif text.startswith("Requirement already satisfied: "):
            self._finish(re.split(r"[=<>!~; ]", text.removeprefix("Requirement already satisfied: "))[0])
        elif word in ("Downloading", "Processing") or text.startswith("Using cached "):
            self._wheel(text)
        elif text.startswith("Installing collected"):
            self._reach(FETCH)
            self.installing = sizes(text.partition(": ")[2].split(", "))
            self.step = f"Installing {len(self.installing)} packages"

    def look(self, site):
        """While pip installs it prints nothing: what is there tells. site: the environment's site-packages folder."""
        if self.installing:
            there = {plain(path.name.split("-")[0]) for path in site.glob("*.dist-info")}
            done = sum(size for name, size in self.installing.items() if name in there)
            self._reach(FETCH + (1.0 - FETCH) * done / sum(self.installing.values()))

    def _wheel(self, text):
        """A wheel begins, so the one before it is there."""
        file = re.split(r"[ /\\]", text.removeprefix("Using cached ").removeprefix("Downloading ")
                        .removeprefix("Processing ").split(" (")[0].strip())[-1]
        found = NAME.match(file)
        if found is None or file.endswith(".metadata"):
            return
        self._finish(self.current)
        self.current, self.part = plain(found["name"]), 0.0
        self.step = text[:60]

    def _raw(self, rest):
        found = re.fullmatch(r"(\d+) of (\d+)", rest)
        if found is not None and self.current in self.left and int(found[2]) > 0:
            self.part = int(found[1]) / int(found[2])
            self._bar()

    def _finish(self, name):
        if name is not None and self.left.pop(plain(name), None) is not None:
            self.part = 0.0
            self._bar()

    def _bar(self):
        done = self.total - sum(self.left.values()) + self.part * self.left.get(self.current, 0.0)
        self._reach(RESOLVE + (FETCH - RESOLVE) * done / self.total)

    def _reach(self, fraction):
        self.fraction = max(self.fraction, min(fraction, 1.0))


def sizes(names):
    """{package: megabytes}, about."""
    found = {plain(name): SMALL for name in names if name}
    return {name: SIZES.get(name, NVIDIA if name.startswith("nvidia-") else SMALL) for name in found}


def plain(name):
    """A package name as the index compares it: lower case, one kind of dash."""
    return re.sub(r"[-_.]+", "-", name).lower()
