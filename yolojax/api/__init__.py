"""A network as one object: `yolojax.open(path)`, and what is done with it, over the pure functions."""

from yolojax.api.detected import Detected
from yolojax.api.model import Model, open_model

__all__ = ["Detected", "Model", "open_model"]
