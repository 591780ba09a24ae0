"""The 32 manual (geometric) features of fairmotion (FID_g), averaged over frames 1..T-1 (systems.md 10.3)."""
import numpy as np

from core.contract import JOINTS

# Fixed SMPL lengths of the published extractor, metres: upper arm, shoulder width, hip width.
HL, SW, HW = 0.2568, 0.3908, 0.1192
DT = 1.0 / 120.0                      # used at 60 fps too, as published
ALIAS = {"root": "pelvis", "belly": "spine1", "chest": "spine3", "neck": "neck", "lhip": "left_hip",
         "rhip": "right_hip",
         "lknee": "left_knee", "rknee": "right_knee", "lankle": "left_ankle", "rankle": "right_ankle",
         "ltoes": "left_foot", "rtoes": "right_foot", "lsh": "left_shoulder", "rsh": "right_shoulder",
         "lelbow": "left_elbow", "relbow": "right_elbow", "lwrist": "left_wrist", "rwrist": "right_wrist"}
INDEX = {alias: JOINTS.index(name) for alias, name in ALIAS.items()}


def _unit(vector):
    return vector / (np.linalg.norm(vector, axis=-1, keepdims=True) + 1e-12)


class _Body:
    """Per-frame primitives; every method returns one value per frame 1..T-1."""

    def __init__(self, positions):
        self.p = np.asarray(positions, float)
        self.v = (self.p[1:] - self.p[:-1]) / DT

    def at(self, name):
        return self.p[1:, INDEX[name]]

    def velocity(self, name):
        return self.v[:, INDEX[name]]

    def move(self, a, b, p):
        """Velocity of p relative to a, along b - a."""
        return ((self.velocity(p) - self.velocity(a)) * _unit(self.at(b) - self.at(a))).sum(-1)

    def nmove(self, a, b, c, p):
        """Velocity of p relative to a, along (c - a) x (b - a)."""
        normal = _unit(np.cross(self.at(c) - self.at(a), self.at(b) - self.at(a)))
        return ((self.velocity(p) - self.velocity(a)) * normal).sum(-1)

    def plane(self, a, b, c, p):
        """Signed distance of p to the plane a, b, c with normal (c - a) x (b - a)."""
        normal = _unit(np.cross(self.at(c) - self.at(a), self.at(b) - self.at(a)))
        return ((self.at(p) - self.at(a)) * normal).sum(-1)

    def nplane(self, n1, n2, a, p):
        """(p - a) along n2 - n1."""
        return ((self.at(p) - self.at(a)) * _unit(self.at(n2) - self.at(n1))).sum(-1)

    def angle(self, a, b, c, d, low, high):
        """Is the angle between a -> b and c -> d within (low, high) degrees?"""
        return self.between(self.at(b) - self.at(a), self.at(d) - self.at(c), low, high)

    @staticmethod
    def between(first, second, low, high):
        cosine = (_unit(first) * _unit(second)).sum(-1)
        degrees = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
        return (degrees > low) & (degrees < high)

    def fast(self, p):
        return np.linalg.norm(self.velocity(p), axis=-1)

    def height(self, p):
        """Height of p over the lowest joint of the frame."""
        return self.at(p)[:, 1] - self.p[1:, :, 1].min(1)


def manual(positions):
    """(T,24,3) positions in metres, **y up** -> (32,) shares of frames in which each relation holds."""
    b = _Body(positions)
    up = np.array([0.0, 1.0, 0.0])
    spine = b.at("root") - b.at("neck")
    rows = [
        b.nmove("neck", "rhip", "lhip", "rwrist") > 1.8 * HL,
        b.nmove("neck", "lhip", "rhip", "lwrist") > 1.8 * HL,
        b.nplane("chest", "neck", "neck", "rwrist") > 0.2 * HL,
        b.nplane("chest", "neck", "neck", "lwrist") > 0.2 * HL,
        b.move("belly", "chest", "chest") > 1.8 * HL,           # 5 and 6 are identical, as published:
        b.move("belly", "chest", "chest") > 1.8 * HL,           # the wrist argument is ignored
        b.angle("relbow", "rsh", "relbow", "rwrist", 0, 110),
        b.angle("lelbow", "lsh", "lelbow", "lwrist", 0, 110),
        b.nplane("lsh", "rsh", "lwrist", "rwrist") > 2.5 * SW,
        b.move("lwrist", "rwrist", "rwrist") > 1.4 * HL,
        b.move("rwrist", "root", "lwrist") > 1.4 * HL,
        b.move("lwrist", "root", "rwrist") > 1.4 * HL,
        b.fast("rwrist") > 2.5 * HL,
        b.fast("lwrist") > 2.5 * HL,
        b.plane("root", "lhip", "ltoes", "rankle") > 0.38 * HL,
        b.plane("root", "rhip", "rtoes", "lankle") > 0.38 * HL,
        b.height("rankle") > 1.2 * HL,
        b.height("lankle") > 1.2 * HL,
        b.nplane("lhip", "rhip", "lankle", "rankle") > 2.1 * HW,
        b.angle("rknee", "rhip", "rknee", "rankle", 0, 110),
        b.angle("lknee", "lhip", "lknee", "lankle", 0, 110),
        b.fast("rankle") > 2.5 * HL,
        b.fast("lankle") > 2.5 * HL,
        b.angle("neck", "root", "rsh", "relbow", 25, 180),
        b.angle("neck", "root", "lsh", "lelbow", 25, 180),
        b.angle("neck", "root", "rhip", "rknee", 50, 180),
        b.angle("neck", "root", "lhip", "lknee", 50, 180),
        b.plane("rankle", "neck", "lankle", "root") > 0.5 * HL,
        b.between(spine, np.broadcast_to(up, spine.shape), 70, 110),
        -b.height("rwrist") > -1.2 * HL,
        -b.height("lwrist") > -1.2 * HL,
        b.fast("root") > 2.3 * HL,
    ]
    return np.array([row.mean() for row in rows])
