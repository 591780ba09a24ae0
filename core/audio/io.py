"""Sound files in and out: whatever soundfile or librosa's decoders read, one clear sentence for what they do not."""
from pathlib import Path

import numpy as np

from core.audio import DELIVERY_RATE, Audio
from core.audio.decode import MAX_RATE, MIN_RATE, check_length, decode
from core.contract.files import reason, replacing
from core.errors import BadInput, reading


def unheard(sentence):
    """A notify that tells nobody."""


def read_audio(path, *, start=0.0, duration=None, minimum=0.0, notify=unheard):
    """Seconds start..start+duration of a sound file as `Audio`, at the file's own rate and channels.

    A range that ends beyond the file is cut there; `minimum` is the shortest passage (s) that is any use to the caller.
    notify(sentence) hears of a file that ends before it should: what is there is used.
    Raises BadInput with one sentence for a missing, unreadable, empty, too short or too long file, for NaN samples and
    for a range outside the file.
    """
    path = Path(path).expanduser()
    _check_file(path)
    if start < 0 or (duration is not None and duration <= 0):
        raise BadInput(f"The range of {path.name} starts at {start:g} s and lasts {duration:g} s; give a start of 0 or "
                       "later and a length above 0." if duration is not None else
                       f"The range of {path.name} starts at {start:g} s; give a start of 0 or later.")
    with reading(f"{path.name} is damaged and cannot be read as sound; convert it to WAV, FLAC, OGG or MP3."):
        samples, rate = decode(path, start, duration, notify)
    if not MIN_RATE <= rate <= MAX_RATE:
        raise BadInput(f"{path.name} has a sample rate of {rate} Hz; convert it to one between 8 and 192 kHz.")
    if samples.shape[1] == 0:
        raise BadInput(f"{path.name} holds no sound; choose another file." if start == 0 else
                       f"{path.name} ends before {start:g} s; choose an earlier start.")
    if not np.isfinite(samples).all():
        raise BadInput(f"{path.name} holds samples that are not numbers (NaN or infinite); export it again.")
    audio = Audio(samples, int(rate))
    if audio.duration < minimum:
        raise BadInput(f"The passage of {path.name} is only {audio.duration:.2f} s long; "
                       f"at least {minimum:g} s are needed.")
    return audio


def read_passage(path, *, offset=0.0, duration=None, speed=1.0, minimum=0.0, notify=unheard):
    """What a sound strip plays: the second t of the passage is the second offset + t * speed of the file.

    A negative offset begins with silence, and a passage longer than the file ends with it, so that the result always
    lasts `duration` seconds (the rest of the file when None). Raises BadInput as `read_audio`.
    """
    if not 0.05 <= speed <= 20:
        raise BadInput(f"The strip plays at {speed:g} times its speed; Baton handles 0.05 to 20 times.")
    if duration is not None and duration <= 0:
        raise BadInput(f"The sound strip of {Path(path).name} has a length of zero; choose a longer one.")
    if duration is not None:
        check_length(Path(path), duration)
    before = max(0.0, -offset) / speed
    if duration is not None and before >= duration:
        raise BadInput(f"The passage ends before the sound of {Path(path).name} begins; choose another range.")
    wanted = None if duration is None else (duration - before) * speed
    audio = read_audio(path, start=max(0.0, offset), duration=wanted, notify=notify)
    audio = audio.sped_up(speed).padded(before, duration)
    if audio.duration < minimum:
        raise BadInput(f"The passage of {Path(path).name} is only {audio.duration:.2f} s long; "
                       f"at least {minimum:g} s are needed.")
    return audio


def read_like(path):
    """The sound file whose timbre a piece is to have; its first minute says enough."""
    return read_audio(path, duration=60.0, minimum=1.0)


def read_take(path):
    """Samples (2,N) float32 at 48 kHz of an earlier result. Raises BadInput."""
    return read_audio(path).resampled(DELIVERY_RATE).stereo().samples


def _check_file(path):
    if not path.exists():
        raise BadInput(f"The sound file {path} does not exist; check the path.")
    if not path.is_file():
        raise BadInput(f"{path} is {'a folder' if path.is_dir() else 'a pipe or a device'}, not a sound file.")
    if path.stat().st_size == 0:
        raise BadInput(f"The sound file {path} is empty (0 bytes); choose another file.")


def write_wav(path, samples, rate=DELIVERY_RATE):
    """Write (2,N) or (N,) float samples as 24-bit WAV, whole or not at all. Returns the path.

    Values beyond full scale are clipped. Raises BadInput where the file cannot be written,
    ValueError where samples are not finite.
    """
    import soundfile
    path = Path(path).expanduser()
    samples = np.atleast_2d(np.asarray(samples, dtype=np.float32))
    if not np.isfinite(samples).all():
        raise ValueError("samples are not finite")
    if len(samples) == 1:
        samples = np.repeat(samples, 2, axis=0)
    try:
        with replacing(path) as temporary, open(temporary, "wb") as handle:
            soundfile.write(handle, np.clip(samples.T, -1.0, 1.0), rate, subtype="PCM_24", format="WAV")
    except (OSError, soundfile.SoundFileError) as error:
        why = reason(error) if isinstance(error, OSError) else str(error).splitlines()[0].rstrip(".")
        raise BadInput(f"The sound cannot be written to {path} ({why}); choose another folder.") from error
    return path
