"""The local web page that asks: two versions of a clip at a time, their origin hidden, four answers a pair.

It listens on this machine alone. The browser is given names drawn at random for the files, so that nothing on the page
tells where a version comes from; order and side follow from the rater's name, so that a sheet can be left and taken up
again.
"""
import hashlib
import itertools
import json
import secrets
import threading
import time
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np

from core.errors import BadInput
from models.lab.rate.material import drawn, find_sides
from models.lab.rate.results import QUESTIONS, Ratings

PAGE = Path(__file__).with_name("page.html")
LONGEST_NAME, LONGEST_BODY = 60, 4096
TYPES = {".wav": "audio/wav", ".ogg": "audio/ogg", ".mp3": "audio/mpeg", ".flac": "audio/flac", ".m4a": "audio/mp4"}


def _word(*parts):
    """A short name of some words, the same every time."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


class Sheet:
    """The questions of a folder of material, and who has answered which.

    pairs: at most so many a rater (None: all). Ratings go to `ratings.csv` of the folder, a line an answer.
    """

    def __init__(self, folder, pairs=None):
        self.sides = find_sides(folder)
        self.pairs = pairs
        self.ratings = Ratings(Path(folder) / "ratings.csv")
        self.files, self.words, self.lock = {}, {}, threading.Lock()
        self.questions = {}
        for clip, sides in self.sides.items():
            for left, right in itertools.combinations(sides, 2):
                self.questions[_word(clip, left.source, right.source)] = (left, right)

    def _order(self, rater):
        """The questions of a rater: those that others answered least come first, otherwise they are shuffled."""
        rng = np.random.default_rng(int(_word("order", rater), 16))
        words = sorted(self.questions)
        asked = self.ratings.counts()
        rank = {word: (asked.get(word, 0) - (word in self.ratings.of(rater)), rng.random()) for word in words}
        return sorted(words, key=rank.get)[:self.pairs]

    def next(self, rater):
        """{question, number, of, sides: [{sound, motion}, ...]} of the next pair, or {done: True}."""
        with self.lock:
            mine = self.ratings.of(rater)
            total = min(len(self.questions), self.pairs or len(self.questions))
            left = [word for word in self._order(rater) if word not in mine]
            if not left or len(mine) >= total:
                return {"done": True, "of": len(mine)}
            return {"question": left[0], "number": len(mine) + 1, "of": total,
                    "sides": [self._names(side) for side in self._sides(rater, left[0])]}

    def _sides(self, rater, word):
        """The two sides of a question as this rater sees them, left first."""
        left, right = self.questions[word]
        return (left, right) if int(_word("side", rater, word), 16) % 2 else (right, left)

    def _names(self, side):
        names = {}
        for kind, path in (("sound", side.sound), ("motion", side.motion)):
            # A name a version, not a file: a motion that both share must not show it.
            names[kind] = self.words.setdefault((kind, side.source, side.clip), secrets.token_hex(8))
            self.files[names[kind]] = path
        return {kind: f"/{kind}/{word}" for kind, word in names.items()}

    def answer(self, rater, word, answers):
        """Write one answered pair. answers: two dicts with a number 1..5 for each of `QUESTIONS`. Raises BadInput."""
        if not isinstance(word, str) or word not in self.questions:
            raise BadInput("This pair is not among those of the folder; load the page again.")
        sane = isinstance(answers, list) and len(answers) == 2 and all(
            isinstance(side, dict) and set(side) == set(QUESTIONS)
            and all(type(value) is int and 1 <= value <= 5 for value in side.values()) for side in answers)
        if not sane:
            raise BadInput("Give each version a number from 1 to 5 for quality and for fit.")
        with self.lock:
            if word in self.ratings.of(rater):
                raise BadInput("This pair has been answered already; load the page again.")
            self.ratings.add(rater, word, self._sides(rater, word), answers, time.strftime("%Y-%m-%dT%H:%M:%S"))


@lru_cache(maxsize=64)
def _motion(path):
    return json.dumps(drawn(path)).encode()


def handler(sheet):
    """The request handler of a sheet."""
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            parts = urlsplit(self.path)
            kind, _, word = parts.path.strip("/").partition("/")
            try:
                if not kind:
                    return self._send(PAGE.read_bytes(), "text/html; charset=utf-8")
                if kind == "favicon.ico":
                    return self._send(b"", "image/x-icon")
                if kind == "next":
                    rater = _name(parse_qs(parts.query).get("rater", [""])[0])
                    return self._send(json.dumps(sheet.next(rater)).encode())
                if kind == "motion" and word in sheet.files:
                    return self._send(_motion(sheet.files[word]))
                if kind == "sound" and word in sheet.files:
                    path = sheet.files[word]
                    return self._send(path.read_bytes(), TYPES.get(path.suffix.lower(), "application/octet-stream"))
            except BadInput as error:
                return self._refuse(str(error))
            return self._refuse("There is nothing under this address.", 404)

        def do_POST(self):
            length = int(self.headers.get("Content-Length") or 0)
            try:
                if not 0 < length <= LONGEST_BODY:
                    raise BadInput("The answer is too long or empty; load the page again.")
                said = json.loads(self.rfile.read(length))
                if not isinstance(said, dict):
                    raise BadInput("The answer cannot be read; load the page again.")
                sheet.answer(_name(said.get("rater")), said.get("question"), said.get("answers"))
            except BadInput as error:
                return self._refuse(str(error))
            except ValueError:
                return self._refuse("The answer cannot be read; load the page again.")
            return self._send(b"{}")

        def _send(self, data, kind="application/json", status=200):
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(data)

        def _refuse(self, sentence, status=400):
            self._send(json.dumps({"error": sentence}).encode(), status=status)

        def log_message(self, *args):
            """Says nothing: the console belongs to who runs the study."""
    return Handler


def _name(text):
    if not isinstance(text, str) or not text.strip() or len(text) > LONGEST_NAME or not text.isprintable():
        raise BadInput(f"Give a name of at most {LONGEST_NAME} letters.")
    return text.strip()


def serve(sheet, port=0):
    """A server of the sheet on this machine; `server_address[1]` is its port. Raises BadInput on a taken port."""
    try:
        return ThreadingHTTPServer(("127.0.0.1", port), handler(sheet))
    except OSError as error:
        raise BadInput(f"Port {port} cannot be used ({error.strerror}); choose another with --port.") from error
