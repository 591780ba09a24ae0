"""What a body's movement says of its beat without a network: whether it travels or rests, how regular its limbs are."""
import numpy as np

from core.body.kinematics import forward_kinematics
from core.contract import JOINTS
from core.rhythm.limbs import Limbs
from models.rhythm.config import BODY_FPS

# Mean speed of the pelvis in m/s from which a body travels. Who gesticulates has 0.00, noise of the body that sways by
# 5 cm 0.2; the captured dances 0.3 to 1.3.
TRAVELS, STRIDE_S = 0.28, 0.2
# And the speeds of pelvis (m/s) and legs (mean change of a rotation's numbers, 1/s) below which a body rests on them.
# Captured dances have 0.14 and 0.21 at least, those who gesticulate 0.00 and 0.01.
RESTS = 0.05, 0.05
LEGS = [0] + [JOINTS.index(f"{side}_{joint}") for side in ("left", "right") for joint in ("hip", "knee", "ankle")]


def limbs_of(motion):
    """`Limbs` of a `Motion`, at the frame rate of the activations."""
    motion = motion.resampled(BODY_FPS)
    return Limbs(forward_kinematics(motion.rotations.astype(np.float64), motion.root.astype(np.float64))[0], BODY_FPS)


def travels(motion):
    """Whether a `Motion` carries its weight about: the mean speed of its pelvis, over strides of 0.2 s, is at least
    TRAVELS."""
    step = max(1, round(STRIDE_S * motion.fps))
    if len(motion) <= step:
        return False
    away = np.linalg.norm(motion.root[step:] - motion.root[:-step], axis=1)
    return bool(away.mean() * motion.fps / step >= TRAVELS)


def rests(motion):
    """Whether hips and legs of a `Motion` are still: who moves the arms alone gesticulates, or conducts."""
    if len(motion) < 2:
        return False
    pelvis = np.linalg.norm(np.diff(motion.root, axis=0), axis=1).mean() * motion.fps
    legs = np.abs(np.diff(motion.rotations[:, LEGS], axis=0)).mean() * motion.fps
    return bool(pelvis < RESTS[0] and legs < RESTS[1])
