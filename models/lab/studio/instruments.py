"""General MIDI instruments of two soundfonts: one FluidSynth per process and sample rate, one stem per part.

FluidSynth's own reverb and chorus are off (the studio's effects do that), notes start on blocks of 64 samples,
and every note is sent early by the measured attack of its sample, so that what is written is what is heard.
"""

import ctypes
from functools import lru_cache
from pathlib import Path

import numpy as np

SOUNDFONTS = (
    "/usr/share/sounds/sf2/FluidR3_GM.sf2",
    "/usr/share/soundfonts/FluidR3_GM.sf2",
    "/usr/share/sounds/sf2/default-GM.sf2",
)
SECOND_SOUNDFONTS = (
    "/usr/share/sounds/sf3/MuseScore_General_Full.sf3",
    "/usr/share/sounds/sf3/MuseScore_General.sf3",
    "/usr/share/soundfonts/MuseScore_General.sf3",
)
BLOCK = 64  # samples; FluidSynth's own block, so no state is left between calls
CHANNELS = 16  # MIDI channels and stems
KIT = 1000  # sounds >= KIT are drum kits: KIT + preset of bank 128
SECOND = 10_000  # added to a sound: the second soundfont plays it
MAX_LAG = 0.10  # seconds; slow strings are not moved further than this


def _library():
    try:
        import fluidsynth
    except ImportError as error:
        raise RuntimeError("The studio needs FluidSynth: its system library and `pip install pyfluidsynth`.") from error
    return fluidsynth


def find_soundfont(second=False):
    """Path of FluidR3 GM, or of MuseScore General; RuntimeError tells what to install."""
    for path in SECOND_SOUNDFONTS if second else SOUNDFONTS:
        if Path(path).exists():
            return path
    raise RuntimeError("MuseScore_General.sf3 was not found; install the package musescore-general-soundfont."
                       if second else
                       "FluidR3_GM.sf2 was not found; install the package fluid-soundfont-gm.")


class Instruments:
    """A FluidSynth with one stereo output per MIDI channel."""

    def __init__(self, rate):
        library = _library()
        self.rate = rate
        self._fl = library._fl
        self._fl.fluid_set_log_function(2, None, None)  # a synth without a font yet warns for each channel
        self._owner = library.Synth(
            gain=0.5,
            samplerate=float(rate),
            channels=CHANNELS,
            **{
                "synth.audio-channels": CHANNELS,
                "synth.audio-groups": CHANNELS,
                "synth.polyphony": 256,
                "synth.reverb.active": 0,
                "synth.chorus.active": 0,
                "synth.cpu-cores": 1,
                "synth.dynamic-sample-loading": 0,
            },
        )
        for name in ("new_fluid_synth", "fluid_synth_get_sfont_by_id"):
            getattr(self._fl, name).restype = ctypes.c_void_p
        self._fonts = {}
        self._settings = ctypes.c_void_p(self._owner.settings)
        self._write = self._fl.fluid_synth_nwrite_float
        self._write.argtypes = [ctypes.c_void_p, ctypes.c_int] + [ctypes.POINTER(ctypes.c_void_p)] * 4
        self._pointers = ctypes.c_void_p * CHANNELS
        self._scratch = np.zeros(1 << 16, np.float32)
        self._lag = {}

    def _font(self, second):
        """The loaded soundfont; the second one takes seconds to unpack and is read when first asked for."""
        if second not in self._fonts:
            number = self._owner.sfload(find_soundfont(second))
            if number < 0:
                raise RuntimeError(f"FluidSynth cannot read {find_soundfont(second)}.")
            owner = ctypes.c_void_p(self._owner.synth)
            self._fonts[second] = ctypes.c_void_p(self._fl.fluid_synth_get_sfont_by_id(owner, number))
        return self._fonts[second]

    def render(self, parts, samples):
        """Stems, P times (2, samples) float32, of `parts`: a list of (sound, notes, cents), any number.

        sound: GM program 0..127, or KIT + preset for a drum kit; SECOND more for the second soundfont.
        notes: (onset s, duration s, MIDI pitch, velocity 0..1).
        cents: tuning of the part, within two semitones (a detuned kit sounds like a smaller or larger one).
        """
        lags = [self.lag(sound, notes) for sound, notes, _ in parts]
        passes = [
            self._render(parts[k : k + CHANNELS], samples, lags[k : k + CHANNELS])
            for k in range(0, len(parts), CHANNELS)
        ]
        return passes[0] if len(passes) == 1 else [stem for stems in passes for stem in stems]

    def _render(self, parts, samples, lags):
        fl = self._fl
        # A new synth for each piece, sharing the loaded soundfont: voices keep no memory of the piece before.
        synth = ctypes.c_void_p(fl.new_fluid_synth(self._settings))
        wanted = sorted({sound >= SECOND for sound, _, _ in parts})
        fonts = {second: fl.fluid_synth_add_sfont(synth, self._font(second)) for second in wanted}
        blocks = -(-samples // BLOCK)
        stems = np.zeros((len(parts), 2, blocks * BLOCK), np.float32)
        events = []
        for channel, (sound, notes, cents) in enumerate(parts):
            font, sound = fonts[sound >= SECOND], sound % SECOND
            fl.fluid_synth_set_channel_type(synth, channel, int(sound >= KIT))
            bank, program = (128, sound - KIT) if sound >= KIT else (0, sound)
            if fl.fluid_synth_program_select(synth, channel, font, bank, program):
                raise RuntimeError(f"The soundfont has no preset {program} in bank {bank}.")
            fl.fluid_synth_cc(synth, channel, 7, 110)
            fl.fluid_synth_pitch_bend(synth, channel, int(np.clip(8192 + round(cents * 8192 / 200), 0, 16383)))
            last_off = {}
            for onset, duration, pitch, velocity in sorted(notes, key=lambda n: n[0]):
                start = int(round((onset - lags[channel]) * self.rate / BLOCK))
                if start >= blocks or start + int(duration * self.rate / BLOCK) < 0:
                    continue
                start = max(start, 0)
                stop = max(start + 2, int(round((onset - lags[channel] + duration) * self.rate / BLOCK)))
                if pitch in last_off and last_off[pitch][0] > start:  # the same key is struck again: lift it first
                    last_off[pitch][0] = start
                off = [stop, 0, channel, pitch, 0]
                last_off[pitch] = off
                events += [off, [start, 1, channel, pitch, max(1, min(127, int(round(velocity * 127))))]]
        events.sort(key=lambda event: (event[0], event[1]))
        position = 0
        for block, on, channel, pitch, velocity in events:
            if block >= blocks:
                break
            if block > position:
                self._advance(synth, stems, position, block)
                position = block
            if on:
                fl.fluid_synth_noteon(synth, channel, int(pitch), velocity)
            else:
                fl.fluid_synth_noteoff(synth, channel, int(pitch))
        self._advance(synth, stems, position, blocks)
        for second in wanted:
            fl.fluid_synth_remove_sfont(synth, self._font(second))
        fl.delete_fluid_synth(synth)
        return stems[:, :, :samples]

    def _advance(self, synth, stems, start, stop):
        scratch = self._scratch.ctypes.data
        most = len(self._scratch) // BLOCK
        base, stride = stems.ctypes.data, stems.strides
        while start < stop:
            count = min(stop - start, most)
            left, right = self._pointers(*[scratch] * CHANNELS), self._pointers(*[scratch] * CHANNELS)
            for index in range(len(stems)):
                left[index] = base + index * stride[0] + start * BLOCK * 4
                right[index] = left[index] + stride[1]
            self._write(synth, count * BLOCK, left, right, None, None)
            start += count

    def lag(self, sound, notes):
        """Seconds from note-on to the perceived attack (-9 dB of the first 200 ms' peak, short RMS), measured once per
        sound."""
        kit = sound % SECOND >= KIT
        if not notes or kit and not any(n[2] in (36, 38, 42) for n in notes):
            return 0.0
        pitches = sorted(n[2] for n in notes)
        pitch = 38 if kit else int(np.clip(round(pitches[len(pitches) // 2] / 6) * 6, 24, 96))
        key = (sound, pitch)
        if key not in self._lag:
            span = int(0.25 * self.rate)
            audio = self._render([(sound, [(0.0, 0.25, pitch, 0.8)], 0.0)], span, [0.0])[0].sum(axis=0)
            width = int(0.003 * self.rate)
            level = np.sqrt(np.convolve(audio**2, np.ones(width) / width, mode="full")[:span])
            peak = level.max()
            attack = np.argmax(level >= 0.35 * peak) / self.rate - 0.002
            self._lag[key] = float(np.clip(attack, 0.0, MAX_LAG)) if peak > 0 else 0.0
        return self._lag[key]


@lru_cache(maxsize=2)
def instruments(rate):
    """The process's one `Instruments` for a sample rate."""
    return Instruments(rate)
