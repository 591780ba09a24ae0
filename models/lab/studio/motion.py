"""The studio's performers: `dance(plan)` and `conduct(plan)`."""
from models.lab.studio.conductor import conduct
from models.lab.studio.dancer import dance

__all__ = ["conduct", "dance"]
