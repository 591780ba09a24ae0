"""What kind of sound file something is, by its first bytes: whether the worker reads it by itself,
whether there is any sound.

Both sides ask: Blender decodes for the worker what that cannot read without ffmpeg.
"""
import struct
from pathlib import Path

from .files import open_plain

HEAD = 1 << 16
PLAIN_WAV = {1, 2, 3, 6, 7, 0x11, 0x31, 0x55, 0xFFFE}       # codecs in a WAV that libsndfile knows
READ = {"wav", "aiff", "flac", "ogg", "mp3", "au", "w64", "rf64", "rifx"}
AUDIO_GUID = bytes.fromhex("409e69f84d5bcf11a8fd00805f5c442b")
VIDEO_GUID = bytes.fromhex("c0ef19bc4d5bcf11a8fd00805f5c442b")
LABELS = {"mp4": "MPEG-4 (m4a, mp4, mov)", "matroska": "WebM or Matroska", "asf": "Windows Media", "aac": "AAC",
          "ac3": "AC-3", "avi": "AVI", "mpeg": "MPEG video", "flv": "Flash video", "ogv": "Ogg video"}


def kind(path: Path | str) -> str:
    """"wav", "aiff", "flac", "ogg", "mp3", ... "mp4", "matroska", "asf", "aac"; "" where the bytes tell nothing."""
    return kind_of(_head(path))


def kind_of(head: bytes) -> str:
    """The same of the first bytes of a file."""
    if head[:4] == b"RIFF" and head[8:12] in (b"WAVE", b"AVI "):
        return "wav" if head[8:12] == b"WAVE" else "avi"
    if head[:4] == b"OggS":
        return "ogv" if b"\x80theora" in head[:4096] else "ogg"
    starts = {b"RF64": "rf64", b"RIFX": "rifx", b"FORM": "aiff", b"fLaC": "flac", b".snd": "au", b"riff": "w64",
              b"caff": "caf", b"\x1aE\xdf\xa3": "matroska", b"0&\xb2u": "asf", b"FLV\x01": "flv",
              b"\x00\x00\x01\xba": "mpeg"}
    if head[:4] in starts:
        return starts[head[:4]]
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):
        return "mp4"
    if head[:3] == b"ID3":
        return "mp3" if b"ftyp" not in head[:64] else "mp4"
    if head[:2] == b"\x0bw":
        return "ac3"
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0:
        return "aac" if head[1] & 0x06 == 0 else "mp3"          # layer 0 is that of ADTS
    return ""


def worker_reads(path: Path | str) -> bool:
    """Does the worker read this without ffmpeg? True where the bytes tell nothing: it will say what is wrong."""
    head = _head(path)
    what = kind_of(head)
    if what == "wav":
        at = head.find(b"fmt ")
        return at < 0 or len(head) < at + 10 or struct.unpack_from("<H", head, at + 8)[0] in PLAIN_WAV
    return not what or what in READ


def has_sound_track(path: Path | str) -> bool | None:
    """False where a movie surely has no sound track, True where it has one, None where that cannot be told."""
    head, what = _head(path), kind(path)
    if what == "mp4":
        return _mp4_tracks(path)
    if what == "matroska":
        with open_plain(path) as file:
            data = file.read(1 << 22)
        return True if b"\x83\x81\x02" in data else False if b"\x83\x81\x01" in data else None
    marks = {"avi": (b"auds", b"vids"), "asf": (AUDIO_GUID, VIDEO_GUID)}.get(what)
    if marks is None:
        return None
    return True if marks[0] in head else False if marks[1] in head else None


def _head(path):
    try:
        with open_plain(path) as file:
            return file.read(HEAD)
    except OSError:
        return b""


def _mp4_tracks(path):
    """Does any track handler say `soun`? None where the table of contents (moov) is missing or unreadable."""
    handlers = set()
    try:
        with open_plain(path) as file:
            _boxes(file, 0, Path(path).stat().st_size, handlers)
    except (OSError, struct.error):
        return None
    return True if b"soun" in handlers else False if handlers else None


def _boxes(file, at, end, handlers, depth=0):
    for _ in range(10_000):
        file.seek(at)
        head = file.read(16)
        if at + 8 > end or len(head) < 8:
            return
        size, name = struct.unpack_from(">I4s", head)
        start = at + 8
        if size == 1 and len(head) == 16:
            size, start = struct.unpack_from(">Q", head, 8)[0], at + 16
        size = end - at if size == 0 else size
        if size < 8:
            return
        if name in (b"moov", b"trak", b"mdia") and depth < 4:
            _boxes(file, start, min(at + size, end), handlers, depth + 1)
        elif name == b"hdlr" and depth == 3:
            file.seek(start)
            handlers.add(file.read(12)[8:12])
        at += size
