"""Motion without music: AMASS-style npz files and BVH folders."""
from functools import partial

from models.lab.loaders.common import Clip, files_under, motion_item, split_of_name, stem


def _read(path, source, options):
    from core.motion_files import read_motion
    return motion_item(read_motion(path, fps=options.fps, bone_map=options.bone_map), source=source)


def _clips(folder, suffixes, source, options, leave_out=()):
    result = []
    for path in files_under(folder, suffixes):
        if stem(path) in leave_out:
            continue
        name = path.relative_to(folder).as_posix()
        # A performer's takes (one folder) stay together; clips that lie loose are split one by one.
        group = path.parent.relative_to(folder).as_posix() if path.parent != folder else stem(path)
        result.append(Clip(f"{source}/{name}", split_of_name(group), partial(_read, path, source, options)))
    return result


def amass_clips(folder, options):
    """All npz of AMASS but the `shape` files that hold a body and no motion."""
    return _clips(folder, (".npz",), "amass", options, ("shape", "male_stagei", "female_stagei", "neutral_stagei"))


def bvh_clips(folder, options):
    """All BVH files."""
    return _clips(folder, (".bvh", ".bvh.gz"), "bvh", options)
