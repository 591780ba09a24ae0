"""Beats of a body or of music, found by the trained networks: what the pipelines and the command line call."""
import dataclasses
from functools import cached_property

import numpy as np

from core import checkpoints
from core.errors import BadInput
from core.rhythm import tempo as rhythm_tempo
from core.rhythm.alignment import beat_f1_70ms
from core.rhythm.sounding import none_of
from models.rhythm.bodies import limbs_of, rests, travels
from models.rhythm.config import BODY_FPS, MUSIC_FPS, MUSIC_RATE, RhythmConfig
from models.rhythm.levels import of_both

# Silence before the sound, and how much of it the decoder sees: a beat on the first sample has two flanks then. Of 7
# first beats of two pieces, followed beat by beat, 3 were found without, all 7 with it.
QUIET_S, LEAD_S, EARLY_S = 1.0, 0.2, 0.1
CHUNK = 30_000  # frames given to a network at once, ten minutes of music; memory stays flat for any length
# Playing speeds at which music is heard, outputs averaged. Chosen on 141 orchestral pieces of the studio's valid split:
# F1 0.894 at one speed, 0.911 with these three, 0.906 with 0.9 and 1.12 too; band shifts and older weights added
# nothing.
SPEEDS = (0.8, 1.0, 1.2)
# "world" is asked first, at one speed, whether there is a beat; these are the speeds at which is heard which. F1 of
# 44 validation scores: 0.710 at one speed, 0.704 at 0.88, 1 and 1.14, 0.713 at these; of agreed beats in eleven game
# tracks 0.700, 0.703 and 0.736; 24 held-out songs 0.951 and 0.951, forms 0.923 and 0.922 (one speed and these).
WORLD_SPEEDS = (0.8, 1.0, 1.25)
RUBATO_SPEEDS = (0.8, 1.2)      # of the pair beside "world": 38 of 42 beats of the Brahms, as with three
# Rubato: the drifting grid's share of what the free path explains. Of 45 pieces and tracks one lay below, the Brahms
# (0.58), on which this was set; the next at 0.69.
RUBATO = 0.65
# Below this share the music may be in rubato or not, and all three are averaged. Chosen on rendered scores, forms,
# songs and the studio's pieces that are in no test: orchestra 0.88 -> 0.89, scores 0.675 -> 0.684, no kind down.
DOUBT = 0.75
# Of beats that the world network and the pair find apart: where they agree so much on a drifting grid, there is a beat
# however weak it is; where they agree on less than half, a weak beat is none. Of 28 weak passages of speech of 20 s 3
# lie above the first; of 42 passages of game music of 12 s 37 are above it, and 5 below the second.
SECOND_OPINION, DISSENT = 0.70, 0.50
SECOND_OPINION_S = 20.0     # of sound at least: in seconds of noise two networks agree by chance
# Share of `tempo.pulse` that the agreements of "world" and "recorded" reach in the mean: from the whole of it on there
# is a beat, below this part no second opinion brings one back. Of 48 passages of speech, noise and drones of 30 s ten
# were told a beat without this rule and nine are with it, of 100 songs 96 and 98; what is noise lies below 0.4.
FAINT = 0.6
WEAK = 1.5                  # times `tempo.pulse`: so strong a beat needs no second opinion


def detect_body_beats(motion, *, folders=None, **options):
    """`Beats` of a `core.body.motion.Motion`, in seconds; frame 0 is the instant `start`.

    options: mode, bpm, metre, beats, level, usual, start: what the user fixes, see `core.rhythm.tempo.find`. folders:
    extra checkpoint folders.
    Raises BadInput on an unusable motion, NoCheckpoint without weights.
    """
    options["asked"] = "traveller" if travels(motion) else "resting" if rests(motion) else None
    activations = activations_body(motion, folders)
    return rhythm_tempo.find(activations, BODY_FPS, part="body", limbs=limbs_of(motion), **options)


def detect_music_beats(samples, rate, *, folders=None, start=0.0, **options):
    """`Beats` of sound, in seconds; samples (N,), (C, N) or (N, C) at `rate` Hz, the first of them at `start`; options
    as `detect_body_beats`. A beat on the first sample is found: the sound is heard with silence before it.

    Bars are found by the bar network over the beats; checkpoint folders from before it, where none is listed, leave
    them to the downbeats of the frames.
    """
    mono, mel = _heard(samples, rate)
    heard = Heard(mel, folders, lead=LEAD_S)
    found = music_beats(heard, bars=_bars(mono, mel, folders), start=start, **options)
    return _from_the_start(found, start) if options.get("beats") is None else found


def music_beats(heard, *, start=0.0, bars=None, **options):
    """`Beats` of a `Heard` piece; where they would be too weak to be told, two networks that agree bring them back, and
    where they are weak and the networks find different ones, there are none."""
    lead = heard.lead
    options |= {"start": start - lead}
    bars = bars and _later(bars, lead)
    alone = heard.both and heard.activations is heard.world
    again = alone and options.get("beats") is None

    def find(seen, **more):
        return rhythm_tempo.find(seen, MUSIC_FPS, part="music", **{**options, **more})
    found = find(heard.activations, bars=None if again else bars, explained=heard.explained if alone else None)
    doubtful = found.extra["tempo"]["chosen"] == "none"
    if not doubtful:
        asked = any(options.get(name) is not None for name in ("beats", "bpm")) or options.get("mode", "auto") != "auto"
        if not asked and heard.weak and heard.dissent:
            return none_of(found)
    elif not (heard.strong or heard.believed):
        return found
    if again:
        return of_both(heard, find, bars, options) if heard.recorded else find(heard.wide, bars=bars, doubtful=True)
    return find(heard.activations, bars=bars, doubtful=True) if doubtful else found


def _later(bars, lead):
    return lambda times: bars(times - lead)


def _from_the_start(beats, start):
    """Beats without those of the silence that was put before the sound; one that is heard as a little early is at the
    start."""
    kept = beats.times >= start - EARLY_S
    bars = None if beats.bars is None else beats.bars[kept]
    told = beats.extra["tempo"]
    sections = [[max(at, start), bpm] for at, bpm in told["sections"]]
    return dataclasses.replace(beats, times=np.maximum(beats.times[kept], start), positions=beats.positions[kept],
                               bars=bars, extra={**beats.extra, "tempo": {**told, "sections": sections}})


def music_activations(mel, folders=None):
    """(T, 4) float32 at 50 fps of a log-mel (T, 80); see `Heard`."""
    return Heard(mel, folders).activations


class Heard:
    """What the networks say of a log-mel (T, 80), each asked no sooner than it is needed.

    The network "world" is heard once; where a drifting grid explains far less of it than beats followed one by one do,
    the music is in rubato, and the pair that was trained for that is heard instead; in between, both. Which beats there
    are is said by "recorded", trained on from "world" with recorded music, where "world" finds a beat and no rubato.
    """

    lead = 0.0                  # seconds of silence before the sound that the activations begin with
    recorded = False            # whether the network "recorded" is there too

    def __init__(self, mel, folders=None, lead=0.0):
        self.mel, self.folders, self.lead = mel, folders, lead
        music = checkpoints.find("rhythm", "music", folders)
        world = checkpoints.find("rhythm", "world", folders, required=False)
        self.both = world is not None and world.path.parent == music.path.parent
        later = checkpoints.find("rhythm", "recorded", folders, required=False)
        self.recorded = self.both and later is not None and later.path.parent == world.path.parent

    @cached_property
    def world(self):
        """(T, 4) of "world"."""
        return self._run([load_network("world", self.folders)], (1.0,))

    @cached_property
    def wide(self):
        """(T, 4) of "recorded", heard at more playing speeds; of "world" in folders from before it."""
        return self._run([load_network("recorded" if self.recorded else "world", self.folders)], WORLD_SPEEDS)

    @cached_property
    def pair(self):
        """(T, 4) of "music" and "rubato"; at more playing speeds where they are all there is."""
        return self._run(music_networks(self.folders), RUBATO_SPEEDS if self.both else SPEEDS)

    def _run(self, networks, speeds):
        """What networks say, from the lead on; with one they hear more silence than that before the sound."""
        from models.rhythm.features import FLOOR
        if not self.lead:
            return run_views(networks, self.mel, speeds)
        quiet = np.full((round(QUIET_S * MUSIC_FPS), self.mel.shape[1]), np.log(FLOOR), dtype=self.mel.dtype)
        seen = run_views(networks, np.concatenate([quiet, self.mel]), speeds)
        return seen[len(quiet) - round(self.lead * MUSIC_FPS):]

    @cached_property
    def activations(self):
        """(T, 4) float32 at 50 fps: what beats are found in."""
        if not self.both:
            return self.pair
        _, drifting, free = self.agreements
        if drifting < RUBATO * free:
            return self.pair
        return (self.world + self.pair) / 2 if drifting < DOUBT * free else self.world

    @cached_property
    def agreements(self):
        """Those of "world"."""
        return self.explained.agreements

    @cached_property
    def explained(self):
        """`core.rhythm.tempo.Explained` of "world"."""
        return rhythm_tempo.Explained(self.world, MUSIC_FPS, "music")

    @cached_property
    def explained_wide(self):
        """`core.rhythm.tempo.Explained` of `wide`."""
        return rhythm_tempo.Explained(self.wide, MUSIC_FPS, "music")

    @property
    def believed(self):
        """Whether there is a beat though "world" alone is not sure: "world" and "recorded" are in the mean, or two
        networks find the same one and it is not faint."""
        if not self.recorded:
            return self.agreed
        mean = np.add(self.agreements, self.explained_wide.agreements) / 2
        share = float((mean / rhythm_tempo.pulse("music", len(self.mel) / MUSIC_FPS)).max())
        return share >= 1.0 or (share >= FAINT and self.agreed)

    @property
    def strong(self):
        """Whether "world" alone is strong enough where both are averaged, which makes every beat weaker."""
        if not self.both or not RUBATO <= self.agreements[1] / max(self.agreements[2], 1e-6) < DOUBT:
            return False
        return self._reaches(1.0)

    @property
    def weak(self):
        """Whether the beat of "world" is so weak that a second opinion is asked."""
        return self.both and not self._reaches(WEAK)

    def _reaches(self, times):
        least = rhythm_tempo.pulse("music", len(self.mel) / MUSIC_FPS)
        return any(found >= times * wanted for found, wanted in zip(self.agreements, least))

    @cached_property
    def alike(self):
        """How much (F1, 0..1) the networks find the same drifting grid, be it at half or double time."""
        one, two = (rhythm_tempo.drifting_beats(seen, MUSIC_FPS, "music") for seen in (self.world, self.pair))
        if min(len(one), len(two)) < 4:
            return 0.0
        double = np.sort(np.concatenate([one, (one[1:] + one[:-1]) / 2]))
        return max(beat_f1_70ms(level, two) for level in (one, one[::2], one[1::2], double))

    @property
    def agreed(self):
        """Whether the networks find the same beats over a passage long enough to count."""
        return self.both and len(self.mel) >= SECOND_OPINION_S * MUSIC_FPS and self.alike >= SECOND_OPINION

    @property
    def dissent(self):
        """Whether the networks find different beats."""
        return self.both and self.alike < DISSENT


def _bars(mono, mel, folders):
    """Evidence about bars for the decoder, or None without a bar network."""
    network = load_network("bars", folders, required=False)
    if network is None:
        return None
    from models.rhythm.bars import chroma
    return bars_of(network, mel, chroma(mono), threes_beside(folders))


def threes_beside(folders=None):
    """The network "threes" of the folder that the bar network is in, or None."""
    bars, threes = (checkpoints.find("rhythm", part, folders, required=False) for part in ("bars", "threes"))
    together = bars is not None and threes is not None and bars.path.parent == threes.path.parent
    return load_network("threes", folders) if together else None


def bars_of(network, mel, harmony, threes=None):
    """Evidence about bars from the bar network (and `threes`), log-mel (T, 80), chroma (T', 24); None without one."""
    if network is None:
        return None
    from models.rhythm.bars import bar_evidence
    return bar_evidence(network, mel, harmony, threes)


def activations_body(motion, folders=None):
    """(T, 4) float32 at 30 fps: probabilities of beat and downbeat, phase cos and sin; for `core.rhythm.tempo`."""
    import torch

    from models.rhythm.features import body_features
    if len(motion) < 2:
        raise BadInput("The motion has fewer than two frames, too few to find a beat; choose a longer range.")
    if not (np.isfinite(motion.rotations).all() and np.isfinite(motion.root).all()):
        raise BadInput("The motion holds NaN or infinite values; repair its keys and try again.")
    motion = motion.resampled(BODY_FPS)
    features = body_features(torch.from_numpy(np.ascontiguousarray(motion.rotations, dtype=np.float32)),
                             torch.from_numpy(np.ascontiguousarray(motion.root, dtype=np.float32)))
    return run_network(load_network("body", folders), features)


def _heard(samples, rate):
    """(mono samples at 22,050 Hz, log-mel (T, 80)) of checked sound."""
    from models.rhythm.features import log_mel, to_mono
    samples = np.asarray(samples)
    if samples.size == 0 or samples.ndim > 2:
        raise BadInput(f"The sound has no samples to find beats in (shape {samples.shape}).")
    if samples.dtype.kind == "f" and not np.isfinite(samples).all():
        raise BadInput("The sound holds NaN or infinite samples; decode the file again.")
    mono = to_mono(samples, rate)
    return mono, log_mel(mono, MUSIC_RATE)


def run_network(network, features):
    """Activations (T, 4) of features (T, C)."""
    from models.rhythm.network import activations
    return activations(network_output(network, features)).numpy()


def run_views(networks, mel, speeds=SPEEDS):
    """Activations (T, 4) of a log-mel (T, 80): raw outputs of each network at each playing speed, brought back to its
    clock and averaged."""
    import torch

    from models.layers.precision import native_autocast
    from models.rhythm.augment import stretch
    from models.rhythm.network import activations
    total, rows = len(mel), 0.0
    for speed in speeds:
        # Frame j of the faster music is frame j * speed of the given one.
        view = mel if speed == 1.0 else stretch(mel, np.arange(int(np.ceil((total - 1) / speed)) + 1) * speed)
        view = torch.from_numpy(np.asarray(view, dtype=np.float32))
        # In bf16 twice as fast, probabilities within 0.01, beats within 2 ms.
        with native_autocast(view.device):
            output = sum(network_output(network, view).float().numpy() for network in networks)
        rows = rows + (output if speed == 1.0 else stretch(output, np.arange(total) / speed))
    rows = rows / (len(speeds) * len(networks))
    return activations(torch.from_numpy(np.asarray(rows, dtype=np.float32))).numpy()


def music_networks(folders=None):
    """The networks whose outputs are averaged for music: "music" and, where its folder has it, "rubato", which was
    trained on with tempi that live inside the bar."""
    first, second = (checkpoints.find("rhythm", part, folders, required=part == "music")
                     for part in ("music", "rubato"))
    together = second is not None and second.path.parent == first.path.parent
    return [load_network(part, folders) for part in (("music", "rubato") if together else ("music",))]


def network_output(network, features):
    """Raw outputs (T, 4) tensor of features (T, C), in chunks that overlap by the network's reach, so that no seam
    shows."""
    import torch
    pieces, reach, total = [], network.reach, len(features)
    with torch.inference_mode():
        for first in range(0, total, CHUNK):
            low, high = max(0, first - reach), min(total, first + CHUNK + reach)
            pieces.append(network(features[None, low:high])[0, first - low: first - low + CHUNK])
        return torch.cat(pieces)


_networks = {}                  # sha256 -> network, kept in memory


def load_network(part, folders=None, required=True):
    """The trained network of "body", "music", "rubato", "world", "recorded", "bars" or "threes", on the CPU (faster
    there than a transfer), kept in memory.

    None when it is not there and not required; else raises NoCheckpoint.
    """
    checkpoint = checkpoints.find("rhythm", part, folders, required=required)
    if checkpoint is None:
        return None
    if checkpoint.sha256 not in _networks:
        if part in ("bars", "threes"):
            from models.rhythm.bars import BarNetwork, BarsConfig
            network = BarNetwork(BarsConfig(**checkpoint.config))
        else:
            from models.rhythm.wide import beat_network
            network = beat_network(RhythmConfig(**checkpoint.config))
        network.load_state_dict(checkpoints.load_state(checkpoint))
        _networks[checkpoint.sha256] = network.eval()
    return _networks[checkpoint.sha256]
