"""Music as it is kept in MP3: encoded at a drawn rate and decoded again, with beats where they were."""
import io

import numpy as np

SHARE = 0.25                # of the training pieces
# Settings of the encoder, of which 0 is the most bits: at 22,050 Hz from 160 to 32 kbit/s, as stereo of 44,100 Hz has
# with four times as many.
MOST, LEAST = 0.0, 0.86
# Samples by which sound comes late: 576 of the encoder and 529 of the decoder. Streams of 56 kbit/s and more say so
# themselves and are cut by the decoder; in slower ones there is no room for that, and they come out longer.
DELAY = 1105


def through_mp3(mono, rate, level):
    """Mono (N,) float32 of mono (N,) at `rate` Hz after MP3 at `level` (0 the most bits, 1 the fewest)."""
    import soundfile
    peak, kept = float(np.abs(mono).max()) + 1e-9, io.BytesIO()
    soundfile.write(kept, mono / peak, rate, format="MP3", subtype="MPEG_LAYER_III", bitrate_mode="CONSTANT",
                    compression_level=level)
    kept.seek(0)
    heard = soundfile.read(kept, dtype="float32")[0]
    return heard[DELAY if len(heard) > len(mono) else 0:][:len(mono)] * np.float32(peak)


def coded(mono, rate, rng):
    """The sound, in a share of the cases through MP3."""
    level = float(rng.uniform(MOST, LEAST))
    return through_mp3(mono, rate, level) if rng.random() < SHARE else mono
