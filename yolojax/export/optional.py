"""Libraries that only an export needs: the `export` and `runtimes` extras, not dependencies of the rest."""

import importlib
import logging
import sys
from types import ModuleType


def require(module: str, *, extra: str = "export") -> ModuleType:
    """The imported `module`; ValueError with how to install it when its package is absent."""
    package = module.split(".")[0]
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        raise ValueError(f"the package {package} is not installed; pip install yolojax[{extra}]") from None


def require_openvino() -> ModuleType:
    """OpenVINO, without two things that it does when it is imported.

    What it sends home forks the process, which JAX does not survive; and it takes absl's handler from the root logger.
    """
    # Python then says that there is no such module, and OpenVINO goes on without it.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    handlers = logging.root.handlers[:]
    openvino = require("openvino", extra="runtimes")
    logging.root.handlers[:] = handlers
    return openvino
