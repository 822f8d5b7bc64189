"""A network as one object over the pure functions: `yolojax.open(path)`, `yolojax.new(cfg, data)`, their methods."""

from yolojax.api.detected import Detected
from yolojax.api.model import Model, new_model, open_model

__all__ = ["Detected", "Model", "new_model", "open_model"]
