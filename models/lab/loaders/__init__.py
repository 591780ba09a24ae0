"""Public corpora and a user's own clips as shards: `python -m models.lab.loaders KIND:DIR --out CORPUS`.

Each kind is a function `clips(folder, options) -> list of Clip`; what they find is converted one by one and written in
the format of docs/contracts.md section 3, so everything downstream reads studio and public data alike.
"""
from models.lab.loaders.common import Clip, Options, import_corpus

__all__ = ["Clip", "KINDS", "Options", "import_corpus", "open_kind"]
KINDS = {"aistpp": "AIST++: motions/*.pkl, splits/crossmodal_*.txt, music in music/, wavs/ or beside",
         "amass": "AMASS-style npz, any depth of folders",
         "bvh": "BVH clips, any depth of folders",
         "cm100": "ConductorMotion100: train|val|test/<id>/mel.npy and motion.npy",
         "paired": "your own: NAME.bvh|npz|pkl with NAME.wav|mp3|..., perhaps NAME.beats.txt; genre = name of the "
         "folder"}


def open_kind(kind):
    """The `clips` function of a kind. Raises BadInput for an unknown one."""
    import importlib

    from core.errors import BadInput
    if kind not in KINDS:
        raise BadInput(f"There is no loader {kind!r}; there are {', '.join(KINDS)}.")
    module = {"aistpp": "aistpp", "amass": "clips", "bvh": "clips", "cm100": "conductor_motion",
              "paired": "paired"}[kind]
    return getattr(importlib.import_module(f"models.lab.loaders.{module}"), f"{kind}_clips")
