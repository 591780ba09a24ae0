"""Several people in one BVH: whose motion is read."""
from dataclasses import replace

import numpy as np

from core.errors import BadInput

LEAST_JOINTS = 12           # of a person; a camera or a prop that has a root of its own has fewer


def one_person(bvh, root=None, name="the file", notify=None):
    """The `Bvh` of one root, or of any other joint by its name, with what it hangs on and what hangs on it.

    root None: the first root that carries a person; where there are several the user is told. Raises BadInput for a
    name that the file does not have.
    """
    tops = [joint for joint, parent in enumerate(bvh.parents) if parent < 0]
    if root is None:
        if len(tops) == 1:
            return bvh
        below = {top: _below(bvh, top) for top in tops}
        people = [top for top in tops if len(below[top]) >= LEAST_JOINTS] or tops
        chosen = people[0]
        if len(people) > 1 and notify is not None:
            notify(f"{name} holds {len(people)} people: {', '.join(bvh.names[top] for top in people)}. "
                   f"{bvh.names[chosen]} is read; "
                   f"choose another with --root {bvh.names[people[1]]}, or as Root in the import dialog.")
        return _part(bvh, below[chosen])
    matches = [joint for joint, its in enumerate(bvh.names) if its == root] or [
        joint for joint, its in enumerate(bvh.names) if its.lower() == str(root).strip().lower()]
    if not matches:
        raise BadInput(f"{name} has no joint {root!r}; its roots are {', '.join(bvh.names[top] for top in tops)}.")
    above, joint = [], bvh.parents[matches[0]]
    while joint >= 0:
        above.append(joint)
        joint = bvh.parents[joint]
    return _part(bvh, sorted({*above, *_below(bvh, matches[0])}))


def _below(bvh, top):
    """A joint and all that hangs on it, in the file's order: parents come first."""
    kept = {top}
    for joint, parent in enumerate(bvh.parents):
        if parent in kept:
            kept.add(joint)
    return sorted(kept)


def _part(bvh, kept):
    """The joints `kept` with their columns; names that were told apart by a number are plain again."""
    widths = [len(channels) for channels in bvh.channels]
    starts = np.concatenate([[0], np.cumsum(widths)]).astype(int)
    columns = [column for joint in kept for column in range(starts[joint], starts[joint] + widths[joint])]
    names = _plain([bvh.names[joint] for joint in kept])
    place = {joint: number for number, joint in enumerate(kept)}
    ends = {names[place[joint]]: bvh.ends[bvh.names[joint]] for joint in kept if bvh.names[joint] in bvh.ends}
    return replace(bvh, names=names, parents=[place.get(bvh.parents[joint], -1) for joint in kept],
                   offsets=bvh.offsets[kept],
                   channels=[bvh.channels[joint] for joint in kept], values=bvh.values[:, columns], ends=ends)


def _plain(names):
    short = [name[:-4] if name[-4:-3] == "." and name[-3:].isdigit() else name for name in names]
    return short if len(set(short)) == len(short) else names
