"""Constants of the decoder of beats, for bodies and for music."""
from dataclasses import dataclass


@dataclass(frozen=True)
class DecoderConfig:
    """Constants of the decoder; times in seconds, tempi in BPM, scores in nats."""

    min_bpm: float = 40.0           # slowest beat looked for
    max_bpm: float = 220.0          # fastest beat looked for
    steps_per_octave: int = 28      # resolution of the period: 2.5 %
    decode_fps: float = 60.0        # activations are interpolated to at least this rate
    beat_weight: float = 1.0        # of the log odds of a beat
    beat_bias: float = 0.0          # added to them: above 0 doubtful beats are kept
    phase_weight: float = 10.0      # per second of agreeing phase
    change: float = 0.045           # scale of log(period ratio) between beats: a 10 % step costs 2.1
    change_cap: float = 100.0       # no change of period costs more
    preferred_bpm: float = 105.0    # centre of the mild tempo prior
    prior_octaves: float = 1.2      # its standard deviation
    prior_weight: float = 0.25      # per beat
    refine_reach: float = 0.05      # a beat may move by so much, within the bump of activation that it lies on ...
    refine_share: float = 1 / 8     # ... and by no more than this share of its period
    refine_power: float = 2.0       # of the activation, as the weight of its centre: the higher, the nearer to its peak
    hint_width: float = 0.10        # periods within this fraction of a given tempo are allowed
    own_octaves: float = 0.5        # the piece's own tempo, once found, is a second prior of this width ...
    own_weight: float = 1.0         # ... and weight per beat: the level does not flip inside a piece (0: one pass)
    guide_octaves: float = 0.05     # width of the prior round a guide's tempo of the moment, of weight one per beat
    break_cost: float = 5.0         # of an irregular bar, in the search for downbeats
    downbeat_bias: float = 1.5      # taken from the log odds of a frame network's downbeats, trained to say too many
    metre_weight: float = 20.0      # of the mean log probability of a metre, where `bars` gives one
    frame_share: float = 1.0        # of the frame network's log odds beside those of `bars`


CONFIG = DecoderConfig()
# Music: its tempo may change from one beat to the next, and at no more than a fixed cost.
MUSIC = DecoderConfig(change=0.10, change_cap=2.0, refine_reach=0.09, refine_share=1 / 5, refine_power=4.0)
