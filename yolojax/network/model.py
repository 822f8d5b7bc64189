"""A network with what is needed to use it."""

import dataclasses
from typing import Any

from yolojax.network.architecture import Architecture


@dataclasses.dataclass(frozen=True)
class Model:
    """The pair (architecture, variables), its class names (empty where the file does not tell them), images seen."""

    architecture: Architecture
    variables: Any
    names: tuple[str, ...] = ()
    seen: int = 0
