"""Does the body run through itself? Limbs as capsules round the bones of SMPL-24, and how deep any two of them
overlap."""
import numpy as np

from core.contract import JOINTS

# (name, from joint, to joint, radius in metres); slim, so that skin on skin does not count.
CAPSULES = tuple((name, JOINTS.index(first), JOINTS.index(last), radius) for name, first, last, radius in (
    ("trunk", "pelvis", "spine3", 0.085), ("head", "neck", "head", 0.08),
    ("left thigh", "left_hip", "left_knee", 0.06), ("right thigh", "right_hip", "right_knee", 0.06),
    ("left shin", "left_knee", "left_ankle", 0.045), ("right shin", "right_knee", "right_ankle", 0.045),
    ("left upper arm", "left_shoulder", "left_elbow", 0.04), ("right upper arm", "right_shoulder", "right_elbow", 0.04),
    ("left forearm", "left_elbow", "left_hand", 0.03), ("right forearm", "right_elbow", "right_hand", 0.03)))
ADJOINING = {frozenset(pair) for pair in (
    ("trunk", "head"), ("trunk", "left thigh"), ("trunk", "right thigh"), ("left thigh", "right thigh"),
    ("left thigh", "left shin"), ("right thigh", "right shin"), ("trunk", "left upper arm"),
    ("trunk", "right upper arm"), ("left upper arm", "left forearm"), ("right upper arm", "right forearm"),
    ("head", "left upper arm"), ("head", "right upper arm"))}


def segment_distance(a, b, c, d):
    """Distance (T,) between the segments a-b and c-d, each (T,3) (Ericson, Real-Time Collision Detection, 5.1.9)."""
    u, v, w = b - a, d - c, a - c
    uu, vv, uv = (u * u).sum(-1), (v * v).sum(-1), (u * v).sum(-1)
    uw, vw = (u * w).sum(-1), (v * w).sum(-1)
    s = np.clip((uv * vw - uw * vv) / np.maximum(uu * vv - uv * uv, 1e-9), 0, 1)
    t = np.clip((uv * s + vw) / np.maximum(vv, 1e-9), 0, 1)
    s = np.clip((uv * t - uw) / np.maximum(uu, 1e-9), 0, 1)
    return np.linalg.norm(w + s[:, None] * u - t[:, None] * v, axis=-1)


def overlaps(positions):
    """{(part, part): depth (T,) in metres, 0 where apart} of joint positions (T,24,3)."""
    out = {}
    for i, (first, a, b, r) in enumerate(CAPSULES):
        for second, c, d, q in CAPSULES[i + 1:]:
            if frozenset((first, second)) not in ADJOINING:
                apart = segment_distance(positions[:, a], positions[:, b], positions[:, c], positions[:, d])
                out[first, second] = np.maximum(r + q - apart, 0)
    return out


def overlap_share(positions, depth=0.03):
    """Share of the frames in which any two parts overlap by more than `depth` metres."""
    return float((np.max(list(overlaps(positions).values()), axis=0) > depth).mean())
