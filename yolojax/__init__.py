"""yolojax: prune YOLOv2 in JAX as plain pytrees, and take the smaller network elsewhere.

`import yolojax` loads nothing heavy; each subpackage is imported when it is first used, as in
`yolojax.pruning.weight_masks`.
"""

import importlib
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from yolojax import (
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

__version__ = "0.1.0"

__all__ = [
    "__version__",
    "darknet",
    "data",
    "detection",
    "export",
    "inspection",
    "network",
    "pruning",
    "reporting",
    "runs",
    "runtimes",
    "settings",
    "studies",
    "training",
]


def __getattr__(name: str) -> ModuleType:
    if name in __all__:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
