"""The readers of motion files that are given damaged input: for each a function(folder) -> make(rng) -> (what was done,
a function that reads it)."""

import gzip
import io
import lzma
import pickle
import zlib
from functools import cache

import numpy as np

from tests.faults import mutate

SECONDS = 1.5


def small_motion():
    """A second and a half of arms that swing, on the canonical skeleton."""
    from core.body.motion import Motion, rest_motion
    from core.body.rotations import axis_angle_to_matrix

    motion = rest_motion(int(30 * SECONDS))
    swing = np.zeros((len(motion), 3))
    swing[:, 2] = 0.8 * np.sin(np.arange(len(motion)) / 5)
    rotations = motion.rotations.copy()
    for joint in (16, 17):
        rotations[:, joint] = axis_angle_to_matrix(swing)
    return Motion(rotations, motion.root, 30.0)


def _reader_of(folder, name):
    """(path, function that writes bytes there and reads them as a motion)."""
    path = folder / name

    def read(data, **options):
        from core.motion_files import read_motion

        path.write_bytes(data)
        return lambda: read_motion(path, **options)

    return path, read


# ---------------------------------------------------------------------------------------------- motion


def bvh(folder):
    """Text and bytes of a BVH, plain and gzipped; frame times; deep and wide skeletons."""
    from core.motion_files import write_bvh

    path, read = _reader_of(folder, "m.bvh")
    _, read_packed = _reader_of(folder, "m.bvh.gz")
    write_bvh(path, small_motion())
    text = path.read_text()

    def make(rng):
        kind = rng.choice(("text",) * 6 + ("bytes",) * 3 + ("packed", "deep", "wide", "time", "rows"))
        if kind == "text":
            said, data = mutate.damage_text(rng, text)
            for _ in range(rng.choice((0, 0, 1, 5))):
                more, data = mutate.damage_text(rng, data)
                said += ", " + more
            return said, read(data.encode())
        if kind == "bytes":
            said, data = mutate.damage_bytes(rng, text.encode())
            return said, read(data)
        if kind == "packed":
            said, data = mutate.damage_bytes(rng, gzip.compress(text.encode()))
            return "packed " + said, read_packed(data)
        count = rng.choice((300, 1500, 20000))
        if kind == "time":
            time = rng.choice(("60", "3600", "0.0005", "1e-9", "1e9", "0.9999", "-0.03", "33", "1000"))
            return f"frame time {time}", read(text.replace("Frame Time: 0.03333333", f"Frame Time: {time}").encode())
        if kind == "rows":
            return f"Frames: {count}0000", read(
                text.replace(f"Frames: {len(small_motion())}", f"Frames: {count}0000").encode()
            )
        joint = "JOINT {n}\n{{\nOFFSET 0 1 0\nCHANNELS 3 Zrotation Xrotation Yrotation\n"
        names = [rng.choice(("x", f"x{n}")) for n in range(count)]
        body = (
            "".join(joint.format(n=n) for n in names) + "}\n" * count
            if kind == "deep"
            else "".join(joint.format(n=n) + "}\n" for n in names)
        )
        whole = text.replace("\tCHANNELS 6", "\tCHANNELS 6", 1)
        at = whole.index("\tJOINT")
        rows = rng.random() < 0.5
        data = (
            whole[:at] + body + whole[at:]
            if rows
            else "HIERARCHY\nROOT a\n{\nOFFSET 0 0 0\nCHANNELS 3 Zrotation Xrotation Yrotation\n"
            + body
            + "}\nMOTION\nFrames: 2\nFrame Time: 0.03\n"
            + "\n".join(["0 " * 3 * (count + 1)] * 2)
            + "\n"
        )
        return f"{kind} {count}", read(data.encode())

    return make


def npz(folder):
    """Bytes and arrays of an npz in several dialects; bombs."""
    from core.motion_files import write_npz

    path, read = _reader_of(folder, "m.npz")
    write_npz(path, small_motion())
    own = dict(np.load(path))
    amass = {
        "poses": np.pad(own["poses"], ((0, 0), (0, 84))),
        "trans": own["trans"],
        "mocap_framerate": np.float64(30),
        "betas": np.zeros(16),
        "gender": np.array("female"),
    }
    smpl = {"global_orient": own["poses"][:, :3], "body_pose": own["poses"][:, 3:], "transl": own["trans"]}
    joints = {"poses": own["poses"].reshape(-1, 24, 3), "trans": own["trans"], "fps": np.float64(30)}
    whole = path.read_bytes()
    bombs = {}

    def make(rng):
        kind = rng.choice(("arrays",) * 6 + ("bytes",) * 4 + ("rate", "bomb", "header"))
        if kind == "bytes":
            said, data = mutate.damage_bytes(rng, rng.choice((whole, mutate.npz_bytes(smpl))))
            return said, read(data)
        if kind == "bomb":
            size = rng.choice((200 << 20, 1500 << 20))
            bombs.setdefault(size, mutate.bomb("poses.npy", size))
            return f"bomb of {size >> 20} MiB", read(bombs[size])
        if kind == "header":
            shape = rng.choice(("(99999999999, 72)", "(-1, 72)", "(1, " * 200 + ")" * 200, "()", "(1e9,)"))
            head = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".encode()
            head += b" " * (64 - (len(head) + 11) % 64) + b"\n"
            plain = b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + bytes(720)
            handle = io.BytesIO()
            import zipfile

            with zipfile.ZipFile(handle, "w") as archive:
                archive.writestr("poses.npy", plain)
                archive.writestr("trans.npy", plain)
            return f"shape {shape[:30]}", read(handle.getvalue())
        arrays = rng.choice((own, amass, smpl, joints))
        if kind == "rate":
            rate = rng.choice((1, 0.033, 1000, 1e9, np.nan, 0, -30, "x"))
            return f"rate {rate}", read(mutate.npz_bytes({**amass, "mocap_framerate": np.array(rate)}))
        said, arrays = mutate.damage_arrays(rng, arrays)
        return said, read(mutate.npz_bytes(arrays))

    return make


class _Call:
    """Pickles as a call of something."""

    def __init__(self, what, *arguments):
        self.what, self.arguments = what, arguments

    def __reduce__(self):
        return self.what, self.arguments


def _deep(depth, kind=list):
    body = b"(" * depth + {list: b"l", tuple: b"t", dict: b"d"}[kind] * depth
    return b"\x80\x02" + body + b"."


@cache
def _packed_zeros(packing):
    """400 MB of zeros in a packing that joblib writes."""
    machine, block = zlib.compressobj(1) if packing == "zlib" else lzma.LZMACompressor(preset=0), bytes(1 << 24)
    return b"".join(machine.compress(block) for _ in range(25)) + machine.flush()


def _by_joblib(folder, content):
    """{packing: bytes} as joblib writes them; {} where it is not here."""
    try:
        import joblib
    except ImportError:
        return {"": pickle.dumps(content)}
    out = {}
    for name, compress in (("plain", 0), ("zlib", 3), ("xz", ("xz", 3))):
        joblib.dump(content, folder / "joblib.bin", compress=compress)
        out[name] = (folder / "joblib.bin").read_bytes()
    return out


def pkl(folder):
    """Bytes and content of pickles of every protocol; calls, object arrays, deep nests, long memos."""
    _, read = _reader_of(folder, "gBR_sBM_cAll_d04_mBR0_ch01.pkl")
    motion = small_motion()
    from core.body.rotations import matrix_to_axis_angle

    poses = matrix_to_axis_angle(motion.rotations).reshape(len(motion), 72)
    content = {"smpl_poses": poses, "smpl_trans": motion.root.astype(np.float64), "smpl_scaling": np.ones(1)}
    joblibs = _by_joblib(folder, content)
    calls = (
        lambda: _Call(np.ndarray, (3,), "O", b"\x41" * 24),
        lambda: _Call(np.ndarray, (10**9,)),
        lambda: _Call(np.dtype, "O"),
        lambda: np.array([None, {}], dtype=object),
        lambda: _Call(eval, "1"),
        lambda: np.zeros(3, "M8[s]"),
        lambda: np.zeros(2, [("a", "f8"), ("b", "O")]),
        lambda: np.float64(3),
        lambda: bytearray(8),
        lambda: range(9),
        lambda: 10**4000,
        lambda: _Call(bytes, 10**9),
        lambda: "é" * 10000,
    )

    def make(rng):
        kind = rng.choice(("bytes",) * 5 + ("joblib",) * 2 + ("content",) * 4 + ("deep", "call", "long", "packed"))
        protocol = rng.choice((0, 1, 2, 3, 4, 5))
        if kind == "bytes":
            said, data = mutate.damage_bytes(rng, pickle.dumps(content, protocol))
            return f"protocol {protocol} {said}", read(data)
        if kind == "joblib":
            packing = rng.choice(list(joblibs))
            said, data = mutate.damage_bytes(rng, joblibs[packing])
            return f"joblib {packing} {said}", read(data)
        if kind == "packed":
            packing = rng.choice(("zlib", "xz"))
            return f"400 MB of zeros by {packing}", read(_packed_zeros(packing))
        if kind == "deep":
            depth = rng.choice((80, 5000, 200000))
            form = rng.choice((list, dict, tuple))
            return f"{depth} deep in {form.__name__}", read(_deep(depth, form))
        if kind == "long":
            return "long", read(
                b"\x80\x02" + rng.choice((b"(", b"]", b"N0", b"K\x01\x85")) * rng.choice((1000, 1000000)) + b"."
            )
        if kind == "call":
            place = rng.choice(list(content))
            return f"call in {place}", read(pickle.dumps({**content, place: rng.choice(calls)()}, max(protocol, 2)))
        said, arrays = mutate.damage_arrays(rng, content)
        return said, read(pickle.dumps(arrays, protocol))

    return make


def torch_file(folder):
    """Bytes and content of what torch.save writes, as a zip and in its older form; calls inside its pickle."""
    import torch

    path, read = _reader_of(folder, "m.pt")
    motion = small_motion()
    from core.body.rotations import matrix_to_axis_angle

    poses = matrix_to_axis_angle(motion.rotations).reshape(len(motion), 72)
    content = {"poses": poses, "trans": motion.root.astype(np.float64), "fps": np.array(30.0)}
    calls = (lambda: _Call(eval, "1"), lambda: _Call(bytes, 10**9), lambda: range(9), lambda: {1, 2}, lambda: "x" * 9)

    def saved(held, zipped):
        torch.save(held, path, _use_new_zipfile_serialization=zipped)
        return path.read_bytes()

    def tensors(arrays):
        return {name: torch.from_numpy(np.array(array)) if np.asarray(array).dtype.kind in "fiub" else str(array)
                for name, array in arrays.items() if np.asarray(array).dtype.str[0] != ">"}

    whole = {zipped: saved(tensors(content), zipped) for zipped in (True, False)}

    def make(rng):
        kind, zipped = rng.choice(("bytes",) * 5 + ("content",) * 4 + ("people", "call", "shape")), rng.random() < 0.7
        if kind == "bytes":
            said, data = mutate.damage_bytes(rng, whole[zipped])
            return f"{'zip' if zipped else 'old'} {said}", read(data)
        if kind == "call":
            name = rng.choice(list(content))
            return f"call in {name}", read(saved({**tensors(content), name: rng.choice(calls)()}, zipped))
        if kind == "people":
            return "people", read(saved({n: tensors(mutate.damage_arrays(rng, content)[1]) for n in range(3)}, zipped))
        if kind == "shape":
            odd = rng.choice((torch.zeros(3).expand(10**6, 3), torch.zeros((0, 72)), torch.tensor(3.0),
                              torch.zeros((2, 2, 2, 2, 2)), torch.zeros((40, 72), dtype=torch.complex64)))
            return f"shape {tuple(odd.shape)}", read(saved({**tensors(content), "poses": odd}, zipped))
        said, arrays = mutate.damage_arrays(rng, content)
        return said, read(saved(tensors(arrays), zipped))

    return make
