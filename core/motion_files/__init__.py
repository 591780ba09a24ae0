"""Motion files in and out: `read_motion`, `write_bvh`, `write_npz`."""
import gzip
import zlib
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np

from core.body.kinematics import FPS
from core.body.motion import Motion
from core.contract import MOTION_FILES, SCENE_FILES
from core.contract.files import open_plain, reason, replacing
from core.errors import BadInput, reading

TORCH_FILES = (".pt", ".pth")
LIMIT_BYTES = 1 << 30
LIMIT_TEXT_BYTES = 256 << 20    # of a BVH; ten minutes of 70 joints at 100 fps are 100 MB
BLOCK_BYTES = 1 << 22


def read_motion(path, fps=None, start=0.0, duration=None, bone_map=None, smpl_models=None, up=None,
                root=None, notify=None):
    """Read a BVH, AMASS-style npz, AIST++-like pkl or the same of torch (each also gzipped) as a `Motion` at 30 fps.

    fps overrides a wrong rate in the header. start and duration (seconds) cut a passage; its frame 0 is at `start`.
    bone_map {SMPL joint: bone} is for BVH with names that detection does not know. A T-pose that the clip begins with
    and leaves at once is replaced by the first real frame, so that times stay those of the file.
    smpl_models: the user's folder of SMPL body models; AMASS and AIST++ files are then read with the performer's own
    skeleton. up: x, -x, y, -y, z or -z, where the motion itself does not tell. root: whose motion of several people,
    by the name of a root or another joint of a BVH, or the person's key in a pickle. notify(sentence): what was mended,
    left out or assumed. Raises BadInput with one sentence.
    """
    path = Path(path)
    _check_passage(fps, start, duration)
    data, suffix = _load(path)
    with reading(f"{path.name} is damaged or no {suffix[1:]} motion that Baton knows; export it again."):
        motion, begins = _parse(data, suffix, path, fps, bone_map, smpl_models, up, root, notify, (start, duration))
    return _cut(motion, path.name, start, duration, begins)


def _parse(data, suffix, path, fps, bone_map, smpl_models, up, root, notify, passage):
    """(Motion of at least the passage, the second of the file at which it starts)."""
    if suffix == ".bvh":
        return _from_bvh(data, path.name, fps, bone_map, up, root, notify, passage)
    if suffix == ".npz":
        from core.motion_files.amass import read_npz
        return read_npz(data, path.name, fps, smpl_models, up, notify, passage)
    from core.motion_files.aist import read_pkl
    return read_pkl(data, path.name, fps, smpl_models, up, notify, passage, root, torch=suffix in TORCH_FILES)


def _load(path):
    suffix = Path(path.stem).suffix.lower() if path.suffix.lower() == ".gz" else path.suffix.lower()
    if suffix in SCENE_FILES:
        raise BadInput(f"{path.name} is a scene, which Baton does not read by itself; import it in Blender (File > "
                       "Import) and use the armature there as the source of Motion onto Rig, or export its animation "
                       "as BVH.")
    if suffix not in MOTION_FILES:
        raise BadInput(f"{path.name} is not a motion file Baton reads; give {', '.join(MOTION_FILES)} (or .gz of "
                       "these).")
    packed, limit = path.suffix.lower() == ".gz", LIMIT_TEXT_BYTES if suffix == ".bvh" else LIMIT_BYTES
    try:
        with open_plain(path) as opened, gzip.open(opened, "rb") if packed else nullcontext(opened) as handle:
            data = _whole(handle, limit, path.name)
    except (OSError, EOFError, zlib.error) as error:
        why = "it is damaged or cut" if packed and path.is_file() else reason(error)
        raise BadInput(f"The motion file {path} cannot be read ({why}).") from error
    if not data:
        raise BadInput(f"The motion file {path} is empty.")
    return data, suffix


def _whole(handle, limit, name):
    """All bytes, in blocks: what a small packed file unpacks to is known only on the way."""
    blocks, size = [], 0
    while block := handle.read(BLOCK_BYTES):
        blocks.append(block)
        size += len(block)
        if size > limit:
            raise BadInput(f"{name} holds more than {limit >> 20} MB; that is no motion that Baton reads at "
                           "once. Cut it.")
    return b"".join(blocks)


def _from_bvh(data, name, fps, bone_map, up, root, notify, passage=(0.0, None)):
    """(Motion, the second of the file at which it starts)."""
    from core.motion_files.bvh import bvh_poses, bvh_rig
    from core.motion_files.bvh_text import parse_bvh
    from core.motion_files.passage import THIN_ROWS, check_size, rows_of
    from core.motion_files.people import one_person
    from core.retarget import to_smpl
    bvh = one_person(parse_bvh(data, name, notify), root, name, notify)
    if len(bvh.values) < 2:
        raise BadInput(f"{name} has a single frame; a motion needs at least 2.")
    if fps is not None:
        bvh = replace(bvh, frame_time=1.0 / fps)
    first, last = rows_of(len(bvh.values), 1.0 / bvh.frame_time, *passage)
    check_size(last - first, len(bvh.names), 1.0 / bvh.frame_time, name)
    if last - first == len(bvh.values):
        rig, poses = bvh_rig(bvh, bone_map, name, up, notify)
    else:                                                # rest and way up are told by the whole clip, thinned
        every = max(1, len(bvh.values) // THIN_ROWS)
        rig, _ = bvh_rig(replace(bvh, values=bvh.values[::every]), bone_map, name, up, notify)
        poses = bvh_poses(replace(bvh, values=bvh.values[first:last]))
    return to_smpl(rig, poses, np.arange(len(poses)) * bvh.frame_time, notify=notify), first * bvh.frame_time


def _check_passage(fps, start, duration):
    if fps is not None and not 1 <= fps <= 1000:
        raise BadInput(f"A frame rate of {fps} fps is not usable; give 1 to 1000.")
    if not 0 <= start < 1e6 or (duration is not None and not 0 < duration < 1e6):
        raise BadInput("Start must be 0 or later and duration above 0 seconds.")


def _cut(motion, name, start, duration, begins):
    """The passage of a motion that starts at second `begins` of its file."""
    first = int(round((start - begins) * motion.fps))
    stop = len(motion) if duration is None else min(len(motion), first + int(round(duration * motion.fps)))
    if stop - first < 2 and duration is not None and duration * motion.fps < 1.5:
        raise BadInput(f"A passage of {duration:g} s holds no two frames; give a longer duration.")
    if stop - first < 2:
        raise BadInput(f"{name} lasts {begins + motion.duration:.1f} s; nothing is left of it from {start:g} s on.")
    return motion.slice(first, stop)


def _write(path, data):
    try:
        with replacing(path) as temporary:
            temporary.write_bytes(data)
    except OSError as error:
        raise BadInput(f"The motion cannot be written to {path} ({reason(error)}); choose another folder.") from error


def write_bvh(path, motion):
    """Write a `Motion` as BVH with SMPL-24 names (y up, centimetres); `.gz` compresses."""
    from core.motion_files.bvh import format_bvh
    data = format_bvh(motion).encode()
    _write(path, gzip.compress(data) if str(path).endswith(".gz") else data)


def write_npz(path, motion):
    """Write a `Motion` as npz: poses (T,72) axis-angle, trans (T,3) pelvis in metres z up, mocap_framerate.

    `trans_is_pelvis` marks that trans is the pelvis joint on Baton's canonical skeleton, not SMPL's translation.
    """
    import io

    from core.body.rotations import matrix_to_axis_angle
    buffer = io.BytesIO()
    np.savez_compressed(buffer, poses=matrix_to_axis_angle(motion.rotations).reshape(len(motion), 72),
                        trans=motion.root.astype(np.float32), mocap_framerate=float(motion.fps), trans_is_pelvis=True)
    _write(path, buffer.getvalue())


__all__ = ["FPS", "Motion", "read_motion", "write_bvh", "write_npz"]
