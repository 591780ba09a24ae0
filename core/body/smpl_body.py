"""SMPL body models that the user owns: shape parameters -> rest skeleton, and mesh with skin for a character.

The model files and the smplx package are under non-commercial terms of their own (https://smpl.is.tue.mpg.de,
https://smpl-x.is.tue.mpg.de): Baton ships neither; both are the user's choice.
"""
import pickle
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.body.unpickle import NumpyUnpickler, plain, scan
from core.contract import JOINTS
from core.contract.arrays import Unsound, check_npz
from core.contract.files import reason, replacing
from core.errors import BadInput, NoRuntime, reading

KINDS = ("smpl", "smplh", "smplx")
LIMIT_BYTES, MOST_CELLS = 2 << 30, 1 << 26
GENDERS = ("neutral", "male", "female")
JOINT_COUNT = {"smpl": 24, "smplh": 52, "smplx": 55}
# The joints that stand for SMPL's left and right hand: the first of the middle finger.
HANDS = {"smpl": (22, 23), "smplh": (25, 40), "smplx": (28, 43)}
NEEDED = ("v_template", "shapedirs", "J_regressor", "kintree_table", "weights", "f")
# File names of the official downloads and of the smplx package; {G} gender in capitals, {g} its first letter.
NAMES = {"smpl": ("SMPL_{G}", "basicModel_{gender}_lbs_10_207_0_v1.0.0", "basicmodel_{g}_lbs_10_207_0_v1.1.0",
                  "basicModel_{g}_lbs_10_207_0_v1.0.0"),
         "smplh": ("SMPLH_{G}", "smplh_{gender}"), "smplx": ("SMPLX_{G}", "smplx_{gender}")}


@dataclass(frozen=True)
class Body:
    """Rest pose of a body in metres, y up, facing +z: vertices (V,3), faces (F,3), weights (V,J),
    joints (J,3), parents (J,)."""

    kind: str
    gender: str
    vertices: np.ndarray
    faces: np.ndarray
    weights: np.ndarray
    joints: np.ndarray
    parents: np.ndarray

    @property
    def skeleton(self):
        """The 24 rest joint positions (24,3) in the order of SMPL."""
        return np.concatenate([self.joints[:22], self.joints[list(HANDS[self.kind])]])

    @property
    def names(self):
        """Bone names: those of SMPL-24, and numbered ones for further joints."""
        names = {place: JOINTS[place] for place in range(22)}
        names |= dict(zip(HANDS[self.kind], JOINTS[22:]))
        return [names.get(place, f"joint_{place}") for place in range(len(self.joints))]

    def save(self, path):
        """Write the arrays as npz, for the add-on to make mesh, skin and armature from."""
        with replacing(path) as temporary, open(temporary, "wb") as handle:
            np.savez(handle, vertices=self.vertices.astype(np.float32), faces=self.faces.astype(np.int32),
                     weights=self.weights.astype(np.float32), joints=self.joints.astype(np.float32),
                     parents=self.parents.astype(np.int32), names=np.array(self.names))


def load_body(folder, betas=(), gender="neutral", kind="smpl"):
    """The `Body` of shape parameters betas (any number; missing ones are 0).

    folder: the user's folder of model files (as smplx wants it, or the files themselves). Raises BadInput when the
    model is missing or damaged, NoRuntime without smplx.
    """
    data = _read_model(find_model(folder, gender, kind))
    try:
        import smplx.lbs  # noqa: F401
        import torch  # noqa: F401
    except ImportError as error:
        raise NoRuntime("SMPL body models need the smplx package; tick it in Set Up Runtime (its licence is "
                        "non-commercial).") from error
    with reading(f"The {kind} model in {folder} is damaged; download it again."):
        return _shaped(data, betas, kind, gender, folder)


def _shaped(data, betas, kind, gender, folder):
    """The body of a model's arrays."""
    import torch
    from smplx.lbs import blend_shapes, vertices2joints
    template, shapes = (np.asarray(data[key], dtype=np.float32) for key in ("v_template", "shapedirs"))
    betas = np.asarray(betas, dtype=np.float32).reshape(-1)[:shapes.shape[-1]]
    if not np.isfinite(betas).all():
        raise BadInput("The body's shape parameters (betas) hold values that are not numbers.")
    regressor = data["J_regressor"]
    regressor = np.asarray(regressor.todense() if hasattr(regressor, "todense") else regressor, dtype=np.float32)
    parents = np.asarray(data["kintree_table"])[0].astype(np.int64)
    parents[0] = -1
    if len(regressor) != JOINT_COUNT[kind]:
        raise BadInput(f"The {kind} model in {folder} has {len(regressor)} joints instead of {JOINT_COUNT[kind]}.")
    vertices = torch.tensor(template)[None]
    if len(betas):
        vertices = vertices + blend_shapes(torch.tensor(betas)[None], torch.tensor(shapes[..., :len(betas)]))
    joints = vertices2joints(torch.tensor(regressor), vertices)
    return Body(kind, gender, vertices[0].numpy(), np.asarray(data["f"]).astype(np.int64),
                np.asarray(data["weights"], dtype=np.float32), joints[0].numpy(), parents)


def find_model(folder, gender="neutral", kind="smpl"):
    """Path of the user's model file. Raises BadInput that says which file is missing."""
    if kind not in KINDS or gender not in GENDERS:
        raise BadInput(f"There is no {gender} {kind} body; kinds are {', '.join(KINDS)}, genders {', '.join(GENDERS)}.")
    if not folder:
        raise BadInput("No folder of SMPL body models is set; choose it in Baton's preferences.")
    folder = Path(folder)
    wanted = [name.format(G=gender.upper(), g=gender[0], gender=gender) for name in NAMES[kind]]
    for place in (folder, folder / kind, folder / "models", folder / kind / "models"):
        for name in wanted:
            for suffix in (".npz", ".pkl"):
                if (place / (name + suffix)).is_file():
                    return place / (name + suffix)
    # The archive of extended models that comes with AMASS: smplh/<gender>/model.npz.
    for place in (folder / kind / gender / "model.npz", folder / gender / "model.npz"):
        if place.is_file():
            return place
    raise BadInput(f"No {wanted[0]}.npz or .pkl lies in {folder}; download it from the models' site into that folder.")


class _State:
    """Stands for a class of another library while a model is unpickled: keeps its state, runs nothing."""

    def __setstate__(self, state):
        self.__dict__.update(state if isinstance(state, dict) else {})


class _Chumpy(_State):
    def array(self):
        return np.asarray(plain(self.x))


class _Sparse(_State):
    def todense(self):
        shape = getattr(self, "_shape", None) or self.shape
        if len(shape) != 2 or not 0 < shape[0] * shape[1] < MOST_CELLS:
            raise ValueError("a matrix of no sensible shape")
        dense = np.zeros(shape)
        starts, rows, values = plain(self.indptr), plain(self.indices), plain(self.data)
        for column in range(shape[1]):
            part = slice(starts[column], starts[column + 1])
            dense[rows[part], column] = values[part]
        return dense


def _rebuild(kind, base, state):
    return kind.__new__(kind)


class _ModelUnpickler(NumpyUnpickler):
    """Also accepts the chumpy arrays and column-sparse matrices of the official files, as plain data."""

    def find_class(self, module, name):
        if module.startswith("chumpy.") and name == "Ch":
            return _Chumpy
        if module.startswith("scipy.sparse") and name in ("csc_matrix", "csc_array"):
            return _Sparse
        if (module, name) in (("copy_reg", "_reconstructor"), ("copyreg", "_reconstructor")):
            return _rebuild
        if (module, name) in (("__builtin__", "object"), ("builtins", "object")):
            return object
        return super().find_class(module, name)


@contextmanager
def _reading_model(path):
    """What is wrong with the file, where its readers say so; else that it is damaged."""
    with reading(f"The body model {path} cannot be read, it is damaged; download it again."):
        try:
            yield
        except (Unsound, OSError, pickle.UnpicklingError) as error:
            why = reason(error) if isinstance(error, OSError) else error
            raise BadInput(f"The body model {path} cannot be read ({why}); download it again.") from error


def _read_model(path):
    with _reading_model(path):
        if path.suffix == ".npz":
            check_npz(path, LIMIT_BYTES, strict=False)
            with np.load(path, allow_pickle=False) as archive:
                data = {key: archive[key] for key in NEEDED if key in archive.files}
        else:
            if path.stat().st_size > LIMIT_BYTES:
                raise Unsound(f"it is larger than {LIMIT_BYTES >> 30} GB")
            scan(path.read_bytes())
            with open(path, "rb") as handle:
                held = _ModelUnpickler(handle, encoding="latin1").load()
            data = {key: held[key].array() if isinstance(held[key], _Chumpy) else held[key]
                    if isinstance(held[key], _Sparse)
                    else plain(held[key]) for key in NEEDED if key in held}
    lacking = [key for key in NEEDED if key not in data]
    if lacking:
        raise BadInput(f"The body model {path} lacks {', '.join(lacking)}; it is not an SMPL model.")
    return data
