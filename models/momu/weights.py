"""Trained weights of a part of MoMu, of a run folder or an exported file, for the trainings and tables of others."""
import json
from pathlib import Path

from core.errors import BadInput


def weights_of(source, name, setting):
    """(configuration as a dict, {name: float32 tensor}) of a run folder or a .safetensors file. Raises BadInput that
    names the part, such as "motion VAE", and the setting that gives it."""
    source = Path(source).expanduser() if source else None
    if source is None or not source.exists():
        raise BadInput(f"A trained {name} is needed: --set {setting}=RUN, its run folder or its exported file.")
    if source.is_dir():
        from models.training.run_folder import RunFolder
        run = RunFolder(source)
        return run.read_config()["config"], run.average()
    from safetensors.torch import load_file

    from core.checkpoints import read_header
    return json.loads(read_header(source)["config"]), {key: value.float()
                                                       for key, value in load_file(str(source)).items()}
