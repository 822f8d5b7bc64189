"""yolojax: prune YOLOv2 in JAX as plain pytrees, and take the smaller network elsewhere.

`yolojax.open("my.weights")` is a network that prunes, trains, measures, finds and saves itself, `yolojax.new` one that
has learned nothing (`yolojax.api`).
`import yolojax` loads nothing heavy; each subpackage is imported when it is first used, as in
`yolojax.pruning.weight_masks`.
"""

import importlib
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from yolojax import (
        api,
        darknet,
        data,
        detection,
        export,
        inspection,
        network,
        pruning,
        reporting,
        runs,
        runtimes,
        settings,
        studies,
        training,
    )
    from yolojax.api import new_model as new
    from yolojax.api import open_model as open

__version__ = "0.1.0"

OBJECT = {"new": "new_model", "open": "open_model"}  # functions of `yolojax.api`, by their short names

__all__ = [
    "__version__",
    "api",
    "darknet",
    "data",
    "detection",
    "export",
    "inspection",
    "network",
    "new",
    "open",
    "pruning",
    "reporting",
    "runs",
    "runtimes",
    "settings",
    "studies",
    "training",
]


def __getattr__(name: str) -> ModuleType | Callable[..., "api.Model"]:
    if name in OBJECT:
        return getattr(importlib.import_module("yolojax.api"), OBJECT[name])
    if name in __all__:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
