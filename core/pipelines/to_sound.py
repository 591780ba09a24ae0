"""Motion -> dance music: a body, its beats, the music model, sound at delivery loudness with its recipe and alignment."""
import time

from core.audio import DELIVERY_RATE
from core.body.motion import Motion
from core.contract import load
from core.errors import BadInput
from core.pipelines import device as devices
from core.pipelines.base import (
    PipelineBase,
    Result,
    check_settings,
    find_parts,
    genre_slug,
    make_recipe,
    never,
    regular_beats,
    share,
    silent,
)
from core.pipelines.beats import check_level, check_tempo, given_or_found

RECORD = next(record for record in load("systems") if record["entry"] == "music")

LEAST_CONFIDENCE = 0.1          # of beats found in a body: standing still gives 0.05, the captures at hand 0.27-0.9


def genre_range(genre):
    """(low, high) beats per minute that are usual for a genre."""
    return tuple(next(entry["bpm"] for entry in load("genres") if entry["slug"] == genre))


def genre_tempo(genre):
    """Beats per minute in the middle of what is usual for a genre."""
    return sum(genre_range(genre)) / 2


class Pipeline(PipelineBase):
    """Motion to music."""

    system, model = "music_ldm", "MusicLDM"

    def generate_variations(self, condition, *, genre=None, guidance_scale=None, steps=None, seed=0, duration=None,
                            beats=None, bpm=None, tempo=None, level="normal", variations=1, loudness=None, loop=False,
                            sampler=None, keep=None, like=None, source=None, progress=silent, should_cancel=never):
        """`variations` results with seeds seed, seed + 1, ...

        condition: `Motion`, the passage, or None: genre (and bpm or beats) alone, without either at the genre's usual tempo.
        duration (s): the motion's when None.
        beats: `Beats` in seconds of the passage, or None to find them in the body (near bpm, if given; tempo: see
        `find_beats`; level: half, normal or double time).
        loudness: slug of `core/contract/loudness.json`. loop: the end joins the beginning. sampler: the model's own if None.
        keep: (samples (2,N) at 48 kHz, start, stop): only these seconds of that take are made anew.
        like: `Audio` whose timbre the music is to have; None: each seed has its own.
        Raises BadInput, NoCheckpoint, OutOfMemory, Cancelled.
        """
        started = time.perf_counter()
        if condition is not None and not isinstance(condition, Motion):
            raise BadInput("Music is made from motion; give a motion file or an animated armature.")
        if condition is None and duration is None:
            raise BadInput("Without a motion the length of the music must be given.")
        duration = self._duration(condition, duration)
        genre, (mode, bpm), level = genre_slug(genre), check_tempo(tempo, bpm), check_level(level)
        tempo = bpm if mode == "fixed" else mode
        scale, steps = check_settings(RECORD, guidance_scale=guidance_scale, steps=steps, seed=seed,
                                      variations=variations, duration=duration, genre=genre)
        progress("Loading", 0.0)
        found = find_parts(RECORD, self.folders, self.notify)
        device = devices.resolve(self.wanted)
        if condition is not None:
            condition = condition.slice(0, max(2, int(round(duration * condition.fps))))
        beats, beats_from = self._beats(condition, beats, genre, dict(bpm=bpm, tempo=tempo, level=level), duration,
                                        share(progress, 0.02, 0.06), should_cancel)
        unclear = beats is None or len(beats) < 2 or (beats_from == "predicted" and beats.confidence < LEAST_CONFIDENCE)
        if unclear and genre is not None:                    # without beats the model makes music with no pulse
            beats, beats_from = regular_beats(bpm or genre_tempo(genre), duration), "tempo" if bpm else "genre"
            if condition is not None:
                self.notify(f"No clear beats were found in the motion; the music keeps {beats.tempo_bpm:.0f} BPM, "
                            f"{'as asked' if bpm else f'usual for {genre}'}.")
        settings = dict(seed=seed, genre=genre, guidance_scale=scale, steps=steps, duration=duration, variations=variations,
                        beats=beats if beats is not None and len(beats) > 1 else None, loop=loop, keep=keep, like=like,
                        should_cancel=should_cancel, progress=share(progress, 0.07, 0.93))
        if sampler is not None:
            settings["sampler"] = sampler
        sounds, device = devices.with_fallback(
            lambda where, small: self._run(condition, where, small, settings), device, self.notify)
        return self._finish(sounds, device, found, beats, beats_from, source, started, progress, should_cancel,
                            seed=seed, genre=genre, guidance_scale=scale, steps=steps, duration=duration, bpm=bpm,
                            tempo=tempo, level=level, loudness=loudness, loop=loop, sampler=sampler,
                            keep=None if keep is None else {"start": keep[1], "stop": keep[2]},
                            like=None if like is None else {"seconds": round(like.duration, 2)})

    @staticmethod
    def _duration(motion, duration):
        if motion is None:
            return float(duration)
        if duration is None:
            return motion.duration
        if duration > motion.duration + 1.0 / motion.fps:
            raise BadInput(f"The motion lasts {motion.duration:.2f} s, music of {duration:.2f} s was asked for; "
                           "choose a shorter length.")
        return float(duration)

    def _beats(self, motion, beats, genre, found_by, duration, progress, should_cancel):
        if beats is not None or motion is not None:
            usual = genre and genre_range(genre)
            return given_or_found(motion, beats, duration=duration, usual=usual, folders=self.folders, **found_by,
                                  progress=progress, should_cancel=should_cancel)
        bpm = found_by["bpm"]
        return (regular_beats(bpm, duration), "tempo") if bpm else (None, "none")

    def _finish(self, sounds, device, found, beats, beats_from, source, started, progress, should_cancel, *, seed,
                **settings):
        """Delivery, alignment and recipe of each variation."""
        from core.audio.loudness import CEILING_DBTP, default_preset, deliver, limit
        from core.errors import Cancelled
        settings["loudness"] = settings["loudness"] or default_preset()
        progress, out = share(progress, 0.93, 1.0), []
        for number, samples in enumerate(sounds):
            if should_cancel():
                raise Cancelled
            progress("Writing", number / len(sounds), f"{number + 1}/{len(sounds)}")
            if settings["keep"] is None:
                samples = deliver(samples, DELIVERY_RATE, settings["loudness"], loop=settings["loop"])
            else:                                             # the kept part has been delivered; it must not change
                samples = limit(samples, DELIVERY_RATE, CEILING_DBTP, settings["loop"])
            recipe = make_recipe(RECORD, self.folders, found, beats=beats, beats_from=beats_from, source=source,
                                 seed=seed + number, **settings)
            heard = self._heard(samples, beats)
            out.append(Result(recipe, beats, audio=samples, device=devices.describe(device), body_beats=beats, music_beats=heard,
                              alignment=None if heard is None else _alignment(beats, heard, settings["duration"])))
        wall = time.perf_counter() - started
        for result in out:
            result.wall = wall
        progress("Writing", 1.0)
        return out

    def _heard(self, samples, beats):
        """Beats that the music network finds in the sound; None without it or without beats to compare them with."""
        from core import checkpoints
        if beats is None or len(beats) < 2 or checkpoints.find("rhythm", "music", self.folders, required=False,
                                                               warn=self.notify) is None:
            return None
        from models.rhythm.detect import detect_music_beats
        return detect_music_beats(samples.mean(axis=0), DELIVERY_RATE, folders=self.folders)


def _alignment(beats, heard, duration):
    """The body's beats against those heard in the sound."""
    from core.rhythm.alignment import alignment
    return alignment(beats.within(0.0, duration).times, heard.within(0.0, duration).times, duration)
