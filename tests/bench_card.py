"""Every system on a card beside the processor of the same machine: the same results, seconds, and whether recorded
calls (`models/layers/replay.py`) pay. `python -m tests.bench_card [--out FILE] [--for SECONDS]`; with --piece it needs
neither soundfile nor librosa.

Three answers of each system to one seed are compared: in single precision on both, which shows that the card computes
the same, and as shipped on each, in the half precision that it multiplies. What does not fit into the time is left out
and said. Without a card its half is left out.
"""
import argparse
import cProfile
import json
import pstats
import sys
import time
import traceback
from pathlib import Path

import numpy as np

from tests.bench_apart import difference

SHORT = 20                      # seconds of a passage
SYSTEMS = ("music_ldm", "conductor", "dance_cascade", "momu_both", "momu_music", "momu_motion")
FULL = "music_ldm"              # the system that is asked where memory is full


class Clock:
    """Time that is left, and what was left out for want of it."""

    def __init__(self, seconds):
        self.began, self.end, self.left_out = time.perf_counter(), time.perf_counter() + seconds, []

    def has(self, seconds, what):
        """Whether something that takes so long still fits; else it is noted."""
        fits = time.perf_counter() + seconds < self.end
        if not fits:
            self.left_out.append(what)
        return fits

    @property
    def now(self):
        return time.perf_counter() - self.began


# ------------------------------------------------------------------------------------------------ one take

def material(piece):
    """{kind: what(seconds)}; piece: a file (samples (N,) int16, rate), or None: as the demo has it."""
    from tests.bench import demo_motion, demo_piece
    if piece is None:
        return {"motion": demo_motion, "sound": demo_piece}
    from core.audio import Audio
    with np.load(piece) as found:
        samples, rate = found["samples"].astype(np.float32) / 32768, int(found["rate"])

    def sound(seconds):
        mono = np.tile(samples, -(-seconds * rate // len(samples)))[:seconds * rate]
        return Audio(np.stack([mono, mono]), rate)
    return {"motion": demo_motion, "sound": sound}


class Open:
    """A system on a device, opened once."""

    def __init__(self, name, device, given, single=False):
        """single: all in single precision, no TF32."""
        import torch

        from core.contract import systems as registry
        from core.pipelines import open_pipeline
        from models.layers import precision
        from models.music_ldm import vocoder
        self.name, self.row, self.said, self.single = name, registry.find(name), [], single
        vocoder._networks.clear()                   # one that lies on another device
        self.given, self.plain = given.get(self.row.source), precision.half
        self.pipeline = open_pipeline(name, None, device, self.said.append)
        self.torch = torch

    def take(self, seconds, steps="normal", played=False):
        """(result, seconds it took, {phase: seconds}); played: with recorded calls."""
        from models.layers import precision, replay
        torch, phases, last = self.torch, {}, [time.perf_counter(), "Reading"]

        def progress(phase, fraction=None, detail=""):
            now = time.perf_counter()
            phases[last[1]] = phases.get(last[1], 0.0) + now - last[0]
            last[:] = now, phase
        condition = None if self.given is None else self.given(seconds)
        words = {"genre": "house"} if "genre" in self.row.settings else {}
        words |= {"duration": float(seconds)} if condition is None else {}
        precision.half, replay.on = (lambda device: None) if self.single else self.plain, played
        began = time.perf_counter()
        try:
            result = self.pipeline.generate(condition, steps=steps, seed=1, progress=progress, **words)
        finally:
            precision.half, replay.on = self.plain, True
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        progress("end")
        return result, time.perf_counter() - began, {name: round(spent, 4) for name, spent in phases.items()}


def alone(single):
    """TF32 as shipped, or not at all."""
    import torch
    torch.set_float32_matmul_precision("highest" if single else "high")
    torch.backends.cudnn.allow_tf32 = not single


# ------------------------------------------------------------------------------------------------ one system

class Compared:
    """One system on both devices; `row` is what was found."""

    def __init__(self, name, given, card, short):
        """short: seconds of the passage; the long one has three times as many."""
        self.name, self.given, self.card, self.short, self.row, self.opened = name, given, card, short, {}, {}

    def device(self, kind, single=False):
        if (kind, single) not in self.opened:
            self.opened[kind, single] = Open(self.name, kind, self.given, single)
        return self.opened[kind, single]

    def same(self):
        """The same numbers in single precision, from the processor and the card."""
        alone(True)
        try:
            self.exact, self.row["cpu_single_s"], _ = self.device("cpu", True).take(self.short)
            if self.card:
                made, self.row["card_single_s"], _ = self.device("cuda", True).take(self.short)
                self.row["single"] = difference(self.exact, made)
                self.row["single_device"] = made.device
        finally:
            self.opened.clear()
            alone(False)

    def on_card(self):
        """As shipped on the card: first, second and third take, and how far the half precision leads away."""
        import torch
        torch.cuda.reset_peak_memory_stats()
        opened = self.device("cuda")
        _, self.row["card_first_s"], self.row["card_first_phases"] = opened.take(self.short)
        made, second, self.row["card_phases"] = opened.take(self.short)
        again, third, _ = opened.take(self.short)
        self.row |= {"card_s": min(second, third), "card_device": made.device, "card_memory_gb": peak(),
                     "card_again": difference(made, again), "card_half": difference(self.exact, made),
                     "card_said": opened.said}
        self.made = made

    def played(self):
        """The same with recorded calls."""
        import torch

        from models.layers import replay
        opened = self.device("cuda")
        torch.cuda.reset_peak_memory_stats()
        _, self.row["played_first_s"], _ = opened.take(self.short, played=True)
        made, second, self.row["played_phases"] = opened.take(self.short, played=True)
        again, third, _ = opened.take(self.short, played=True)
        self.row |= {"played_s": min(second, third), "played": difference(self.made, again),
                     "played_memory_gb": peak(), "refused": [kept.failed for kept in replay._of.values()]}

    def one_call(self):
        """Milliseconds of one network call of the largest shape, plain and played."""
        import torch

        from models.layers import replay
        from models.layers.recording import described
        seen, plain = {}, replay._plain

        def noted(network, inputs, method, half, device):
            size = inputs[0].numel()
            if size > seen.get(type(network).__name__, (0,))[0]:
                seen[type(network).__name__] = size, (network, inputs, method, half, device)
            return plain(network, inputs, method, half, device)
        replay._plain = noted
        try:
            self.device("cuda").take(self.short, "draft")
        finally:
            replay._plain = plain
        for name, (_, asked) in seen.items():
            network, inputs, method, half, device = asked
            with torch.inference_mode():
                row = {"shape": list(inputs[0].shape), "plain_ms": milliseconds(lambda: plain(*asked))}    # noqa: B023
                tensors = []
                described(inputs, tensors)
                played = replay.Recording(lambda given: plain(network, given, method, half, device),      # noqa: B023
                                          inputs, tensors)
                row["played_ms"] = milliseconds(lambda: played.play(tensors))                             # noqa: B023
                row["apart"] = float((plain(*asked) - played.play(tensors)).abs().max())
            self.row.setdefault("calls", {})[name] = row

    def host(self):
        """Where the host's time of a take on the card goes: the functions that take longest by themselves and with
        what they call."""
        profiler = cProfile.Profile()
        profiler.enable()
        self.device("cuda").take(self.short)
        profiler.disable()
        stats = pstats.Stats(profiler).stats

        def named(key):
            return f"{'/'.join(Path(key[0]).parts[-2:])}:{key[1]} {key[2]}"
        self.row["host_own"] = [[named(key), value[1], round(value[2], 4)] for key, value in
                                sorted(stats.items(), key=lambda item: -item[1][2])[:14]]
        ours = [item for item in stats.items() if "/core/" in item[0][0] or "/models/" in item[0][0]]
        self.row["host_with_calls"] = [[named(key), value[1], round(value[3], 4)] for key, value in
                                       sorted(ours, key=lambda item: -item[1][3])[:24]]

    def on_cpu(self):
        """As shipped on the processor."""
        opened = self.device("cpu")
        _, self.row["cpu_first_s"], _ = opened.take(self.short)
        made, self.row["cpu_s"], self.row["cpu_phases"] = opened.take(self.short)
        self.row["cpu_half"] = difference(self.exact, made)

    def long(self):
        """Three times as long on the card, plain and played (first, second)."""
        opened = self.device("cuda")
        opened.take(3 * self.short)
        _, self.row["card_long_s"], self.row["card_long_phases"] = opened.take(3 * self.short)
        _, self.row["played_long_first_s"], _ = opened.take(3 * self.short, played=True)
        _, self.row["played_long_s"], _ = opened.take(3 * self.short, played=True)

    def full(self):
        """What happens where the card's memory is full: the processor makes it, and the user is told."""
        import torch
        if self.name != FULL:
            return
        opened = Open(self.name, "cuda", self.given)
        torch.cuda.empty_cache()
        torch.cuda.set_per_process_memory_fraction(1e-4)
        try:
            made, self.row["full_s"], _ = opened.take(self.short, "draft")
            self.row["full_device"], self.row["full_said"] = made.device, opened.said
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0)

    def long_on_cpu(self):
        """Three times as long on the processor, once."""
        _, self.row["cpu_long_s"], _ = self.device("cpu").take(3 * self.short)


def peak():
    import torch
    return round(torch.cuda.max_memory_reserved() / 1e9, 3)


def milliseconds(act, times=20):
    """Of one call among many, the card idle before and after."""
    import torch
    act()
    torch.cuda.synchronize()
    began = time.perf_counter()
    for _ in range(times):
        act()
    torch.cuda.synchronize()
    return round(1e3 * (time.perf_counter() - began) / times, 4)


def beats(given, seconds):
    """Seconds of finding beats in so many, which happens on the processor, by the number of torch's threads."""
    import torch

    from models.rhythm.detect import detect_body_beats, detect_music_beats
    from tests.bench import clock
    motion, piece = given["motion"](seconds), given["sound"](seconds)
    found, usual = {}, torch.get_num_threads()
    try:
        for threads in sorted({1, 2, 4, usual}):
            torch.set_num_threads(threads)
            found[threads] = {"body_s": clock(lambda: detect_body_beats(motion), 1),
                              "music_s": clock(lambda: detect_music_beats(piece.mono(), piece.rate), 1)}
    finally:
        torch.set_num_threads(usual)
    return found


# ------------------------------------------------------------------------------------------------ all

# (method, needs a card, seconds that it takes at most): the most important first.
PARTS = (("same", False, 6.0), ("on_card", True, 4.0), ("played", True, 3.0), ("one_call", True, 2.0),
         ("on_cpu", False, 5.0), ("host", True, 2.0), ("long", True, 5.0),
         ("full", True, 3.0), ("long_on_cpu", False, 6.0))


def compare(names, piece, short, clock, card, say, note):
    """{system: what was found}; a failure is written down and the next part goes on."""
    given, found = material(piece), {}
    compared = {name: Compared(name, given, card, short) for name in names}
    for part, needs_card, most in PARTS:
        if needs_card and not card:
            continue
        for name, each in compared.items():
            longest = max([most] + [other.row.get(f"{part}_took", 0.0) for other in compared.values()])
            if not clock.has(longest, f"{part} of {name}"):
                continue
            began = time.perf_counter()
            try:
                getattr(each, part)()
            except Exception as error:              # noqa: BLE001 - whatever it is, it is the finding
                each.row.setdefault("failed", []).append(
                    [part, f"{type(error).__name__}: {error}"[:400],
                     [line[:200] for line in traceback.format_exc().splitlines()][-30:]])
                say(f"{clock.now:5.1f} {name} {part}: {type(error).__name__}: {str(error)[:200]}")
            each.row[f"{part}_took"] = round(time.perf_counter() - began, 2)
            found[name] = each.row
            note({"systems": found})
        say(f"{clock.now:5.1f} s: {part} done")
    if clock.has(6.0, "beats"):
        note({"systems": found, "beats": beats(given, 3 * short)})
    return found


COLUMNS = (("cpu", "cpu_s"), ("card 1st", "card_first_s"), ("card", "card_s"), ("played 1st", "played_first_s"),
           ("played", "played_s"), ("cpu long", "cpu_long_s"), ("card long", "card_long_s"),
           ("played long", "played_long_s"), ("GB", "card_memory_gb"))


def table(found):
    """The lines of a short table."""
    lines = ["seconds it takes".ljust(30) + "".join(f"{title:>12}" for title, _ in COLUMNS)]
    for name, row in found.items():
        cells = (f"{row[key]:12.3f}" if isinstance(row.get(key), float) else f"{row.get(key, '-')!s:>12}"
                 for _, key in COLUMNS)
        lines.append(name.ljust(30) + "".join(cells))
    for name, row in found.items():
        for key in ("single", "card_half", "cpu_half", "card_again", "played"):
            if key in row:
                lines.append(f"{name} {key}: " + ", ".join(f"{one} {value:.2g}" for one, value in row[key].items()))
        for network, call in row.get("calls", {}).items():
            lines.append(f"{name} {network} {call['shape']}: {call['plain_ms']} ms, played {call['played_ms']} ms, "
                         f"apart {call['apart']:.2g}")
        if "full_device" in row:
            lines.append(f"{name} with full memory: {row['full_device']}, said {row['full_said']}")
        for part, what, _ in row.get("failed", ()):
            lines.append(f"{name} {part} FAILED: {what}")
    return lines


def machine():
    """What it runs on."""
    import os
    import platform

    import scipy
    import torch

    from models.layers.precision import half
    row = {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__,
           "scipy": scipy.__version__, "cores": os.cpu_count(), "threads": torch.get_num_threads(),
           "cpu_half": str(half(torch.device("cpu")))}
    if torch.cuda.is_available():
        row |= {"card": torch.cuda.get_device_name(), "cuda": torch.version.cuda,
                "card_half": str(half(torch.device("cuda")))}
    return row


def main(arguments=None):
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench_card", description=__doc__.splitlines()[0])
    parser.add_argument("systems", nargs="*", default=SYSTEMS)
    parser.add_argument("--out", help="file for all that was found, JSON")
    parser.add_argument("--for", dest="seconds", type=float, default=300.0, help="at most so many seconds")
    parser.add_argument("--short", type=int, default=SHORT, help="seconds of the passages")
    parser.add_argument("--piece", help="npz of samples (N,) int16 and rate, in the place of the demo's piece")
    options = parser.parse_args(arguments)
    clock = Clock(options.seconds)
    from core.start import quiet_threads
    quiet_threads()
    import torch
    card, all_of = torch.cuda.is_available(), {}

    def note(more):
        all_of.update(more, left_out=clock.left_out, seconds=round(clock.now, 1))
        if options.out:
            Path(options.out).write_text(json.dumps(all_of, indent=1, default=str))

    def say(line):
        print(line, flush=True)
    note({"machine": machine()})
    say(f"{clock.now:5.1f} s: {all_of['machine']}")
    if not card:
        say("There is no card here: the processor's half alone.")
    found = compare(options.systems, options.piece, options.short, clock, card, say, note)
    note({})
    for line in table(found):
        say(line)
    say(f"beats {all_of.get('beats')}; {clock.now:.1f} s in all; left out: {', '.join(clock.left_out) or 'nothing'}")
    return int(any("failed" in row for row in found.values()))


if __name__ == "__main__":
    sys.exit(main())
