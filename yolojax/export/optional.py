"""Libraries that only an export needs: the `export` extra, not a dependency of the rest."""

import importlib
from types import ModuleType


def require(module: str) -> ModuleType:
    """The imported `module`; ValueError with how to install it when its package is absent."""
    package = module.split(".")[0]
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        raise ValueError(f"the package {package} is not installed; pip install yolojax[export]") from None
