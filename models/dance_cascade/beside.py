"""What may lie beside a checkpoint of the base, made for it: the styles' measures, and the network that it taught."""
from core import checkpoints
from models.dance_cascade.config import CascadeConfig
from models.dance_cascade.network import Denoiser
from models.dance_cascade.styles import Styles


def styles_beside(base, folders):
    """The `Styles` that were measured for a checkpoint of the base, those of its own folder; None where it has
    none."""
    found = checkpoints.find("dance_cascade", "styles", folders, required=False)
    if found is None or found.path.parent != base.path.parent:
        return None
    styles = Styles()
    styles.load_state_dict(checkpoints.load_state(found))
    return styles


def opened(found):
    """(config, network) of a checkpoint of a stage."""
    config = CascadeConfig(**found.config)
    network = Denoiser(config)
    network.load_state_dict(checkpoints.load_state(found))
    return config, network


def guided_beside(base, folders):
    """(config, network) that a checkpoint of the base taught; None where it taught none."""
    found = checkpoints.find("dance_cascade", "guided", folders, required=False)
    if found is None or found.config["teacher"] != base.sha256:
        return None
    return opened(found)
