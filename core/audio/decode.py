"""Samples of a sound file: libsndfile first, block by block so that a damaged end costs only itself, then ffmpeg."""
import io
import shutil
import struct

import numpy as np

from core import cancelling
from core.contract import sound_files
from core.errors import BadInput

MIN_RATE, MAX_RATE = 4_000, 384_000
MAX_SECONDS = 3600.0
MAX_CHANNELS = 32
MOST_SAMPLES = 1 << 30
BLOCK = 1 << 16
SMALLEST = 64                   # samples: so near to the place of a damage is read
MOST_FRAMES = 1 << 40           # what libsndfile says of files that do not say their length is above
SHORT = 0.1                     # seconds that may be missing before a file counts as cut


def decode(path, start, duration, notify):
    """(samples (C,N) float32, rate) of the seconds start..start+duration, duration None: the rest.

    notify(sentence) hears of a file that ends early. Raises BadInput.
    """
    import soundfile
    try:
        return _read(_whole_header(path), path, start, duration, notify)
    except (soundfile.SoundFileError, RuntimeError) as error:
        return _by_ffmpeg(path, start, duration, str(error))


def check_length(path, seconds):
    """Raises BadInput for a passage that is too long to be handled at once."""
    if seconds > MAX_SECONDS:
        raise BadInput(f"The passage of {path.name} lasts {seconds / 60:.0f} min; "
                       f"Baton handles {MAX_SECONDS / 60:.0f} min at once, choose a shorter range.")


def _read(source, path, start, duration, notify):
    """(samples (C,N), rate) of what libsndfile opens, as far as it can be decoded."""
    import soundfile
    with soundfile.SoundFile(source) as file:
        rate, frames, channels = file.samplerate, file.frames, file.channels
        if not 1 <= channels <= MAX_CHANNELS or not MIN_RATE <= rate <= MAX_RATE:
            raise BadInput(f"{path.name} has {channels} channels at {rate} Hz; convert it to stereo at 8 to 192 kHz.")
        known = 0 <= frames < MOST_FRAMES                # streams and cut files do not say how long they are
        first = min(int(round(start * rate)), frames) if known else int(round(start * rate))
        if known:
            left = frames - first
            check_length(path, min(left, left if duration is None else duration * rate) / rate)
        count = int(round((MAX_SECONDS + 1 if duration is None else duration) * rate))
        sought = known and _sought(file, first)
        skip = 0 if sought else first
        blocks, broken = _blocks(file, skip + count, BLOCK)
    if broken:                           # a damaged place: once more, in small steps from the last whole block on
        got = sum(map(len, blocks))
        with soundfile.SoundFile(source if isinstance(source, str) else io.BytesIO(source.getbuffer())) as file:
            if sought:
                _sought(file, first)
            _blocks(file, got, BLOCK)
            blocks += _blocks(file, min(BLOCK, skip + count - got), SMALLEST)[0]
    samples = np.concatenate(blocks)[skip:].T if blocks else np.zeros((channels, 0), dtype=np.float32)
    check_length(path, samples.shape[1] / rate)
    if samples.shape[1] < count:
        _tell(path, frames if known else None, first + samples.shape[1], rate, notify)
    return samples, rate


def _blocks(file, count, size):
    """(blocks of up to `size` samples, together at most `count`; whether a damaged place ended them)."""
    blocks, left = [], count
    while left > 0:
        cancelling.check()                               # a length that the file only claims costs nothing
        if (count - left) * file.channels > MOST_SAMPLES:
            raise BadInput("The file holds too much sound to read at once; convert it to stereo at 48 kHz.")
        try:
            block = file.read(min(size, left), dtype="float32", always_2d=True)
        except RuntimeError:
            return blocks, True
        if len(block) == 0:
            break
        blocks.append(block)
        left -= len(block)
    return blocks, False


def _sought(file, place):
    try:
        return file.seek(place) == place
    except RuntimeError:
        return False


def _tell(path, frames, got, rate, notify):
    """The notice of a file that ends before its header says so. frames: what that says, None where it does not."""
    whole = max(frames or 0, _announced(path, frames) or 0)
    if whole and got < whole - SHORT * rate:
        notify(f"{path.name} is cut: of its {whole / rate:.1f} s only {got / rate:.1f} s are there; these are used.")
    elif not whole and sound_files.kind(path) == "ogg" and not _ogg_ends(path):
        notify(f"{path.name} is cut: it has no end; the {got / rate:.1f} s that are there are used.")


def _announced(path, frames):
    """Samples that the header of a WAV or AIFF announces, where they are more than the file can hold; else None."""
    what = sound_files.kind(path)
    if what not in ("wav", "aiff"):
        return None
    with path.open("rb") as opened:
        head = opened.read(sound_files.HEAD)
    at = head.find(b"data" if what == "wav" else b"SSND")
    if at < 0 or len(head) < at + 8:
        return None
    size = struct.unpack_from("<I" if what == "wav" else ">I", head, at + 4)[0]
    held = path.stat().st_size - at - 8
    if size in (0, 0xFFFFFFFF) or size >= 0x7FFFF000 or size <= held or held <= 0 or not frames:
        return None
    return int(frames * size / held)


def _ogg_ends(path):
    """Does the last page of an Ogg file say that it is the last?"""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - (1 << 17)))
        tail = file.read()
    at = tail.rfind(b"OggS")
    if at < 0 or len(tail) < at + 27:
        return at < 0
    count = tail[at + 26]                                # pieces of the page, then their lengths, then their bytes
    table = tail[at + 27:at + 27 + count]
    return bool(tail[at + 5] & 4) and len(table) == count and len(tail) >= at + 27 + count + sum(table)


def _whole_header(path):
    """The path, or the file in memory with the length that it has where a WAV says 0:
    a recording that was not closed."""
    with path.open("rb") as file:
        head = file.read(sound_files.HEAD)
    at = head.find(b"data", 12)
    if head[:4] != b"RIFF" or head[8:12] != b"WAVE" or at < 0 or head[at + 4:at + 8] != b"\0\0\0\0":
        return str(path)
    held = path.stat().st_size - at - 8
    if held <= 8 or b"LIST" in head[at + 8:at + 12]:
        return str(path)
    data = bytearray(path.read_bytes())
    data[4:8] = struct.pack("<I", min(len(data) - 8, 0xFFFFFFFE))
    data[at + 4:at + 8] = struct.pack("<I", min(held, 0xFFFFFFFE))
    return io.BytesIO(data)


def _by_ffmpeg(path, start, duration, reason):
    """What libsndfile does not know, decoded by ffmpeg (through librosa). Raises BadInput."""
    import warnings

    import librosa
    check_length(path, duration if duration is not None else 0.0)
    if sound_files.has_sound_track(path) is False:
        raise BadInput(f"{path.name} has no sound track; choose a file with sound.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")                    # librosa warns that the fallback is the fallback
            samples, rate = librosa.load(str(path), sr=None, mono=False, offset=start, duration=duration)
    except Exception as error:  # noqa: BLE001 - every decoder behind librosa raises types of its own
        raise BadInput(_unread(path, reason)) from error
    samples = np.atleast_2d(np.asarray(samples, dtype=np.float32))
    if not rate or samples.size == 0 and start == 0:
        raise BadInput(_unread(path, reason))
    check_length(path, samples.shape[1] / rate)
    return samples, int(rate)


def _unread(path, reason):
    """What is wrong with a file that nothing here reads, and what to do."""
    what = sound_files.LABELS.get(sound_files.kind(path))
    if what and shutil.which("ffmpeg") is None:
        return (f"{path.name} is {what}, which is read with ffmpeg, and ffmpeg is not installed; install it, or "
                "convert the file to WAV, FLAC, OGG or MP3.")
    if what:
        return f"{path.name} is damaged {what}, which ffmpeg cannot read; convert it to WAV, FLAC, OGG or MP3."
    reason = reason.splitlines()[0].rsplit(": ", 1)[-1].rstrip(".") if reason.strip() else "unknown format"
    # The file is there: so libsndfile says that what begins like an MP3 is none.
    reason = "unknown format" if reason.startswith("File does not exist") else reason
    way = "convert it" if shutil.which("ffmpeg") else "install ffmpeg, or convert it"
    return f"{path.name} cannot be read as sound ({reason}); {way} to WAV, FLAC, OGG or MP3."
