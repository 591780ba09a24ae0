"""The studio's performers: `dance(plan)` and `conduct(plan)`."""
from models.data.studio.conductor import conduct
from models.data.studio.dancer import dance

__all__ = ["conduct", "dance"]
