"""Room, tone colour, level and noise of an orchestral recording."""

import numpy as np

from models.lab.studio.score import rng_of


def orchestra_mix(seed, romantic=False):
    """The mix dict of the conducted piece with this seed; half of the romantic ones sound like old records."""
    rng = rng_of(seed, "mix")
    u = rng.uniform
    mix = {
        "cents": float(rng.normal(0, 10)),
        "seed": int(seed),
        "width": float(u(0.4, 1.0)) * (rng.random() > 0.06),
        "balance_db": float(rng.normal(0, 1.5)),
        "tilt_db": float(rng.normal(0, 2.5)),
        "low_db": float(rng.normal(0, 2.0)),
        "mid_db": float(rng.normal(0, 2.0)),
        "mid_hz": float(np.exp(u(np.log(300), np.log(4000)))),
        "high_db": float(rng.normal(0, 2.5)),
        "lowpass": float(u(4000, 9000)) if rng.random() < 0.15 else 0.0,
        "highpass": 0.0,
        "reverb_seconds": float(u(0.8, 2.6)),
        "reverb_bright": float(u(0.1, 0.5)),
        "reverb_db": float(u(-10, 1)),
        "drive_db": 0.0,
        "level_db": float(u(-26, -14)),
        "noise": str(rng.choice(["", "", "pink", "hum"])),
        "noise_db": float(u(-68, -48)),
        "dynamic_range_db": float(u(20, 30)),
    }
    if romantic:
        mix |= {"reverb_seconds": float(u(1.2, 3.0)), "reverb_db": float(u(-6, 3)), "level_db": float(u(-24, -14))}
        if rng.random() < 0.5:  # an old record: mono, narrow, noisy, its soft passages lifted
            mix |= {
                "width": 0.0,
                "lowpass": float(u(2800, 7000)),
                "highpass": float(u(60, 250)),
                "noise": str(rng.choice(["pink", "vinyl", "hum"])),
                "noise_db": float(u(-56, -38)),
                "dynamic_range_db": float(u(10, 18)),
            }
    return mix
