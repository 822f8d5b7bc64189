"""A network with what is needed to use it."""

import dataclasses

from yolojax.network.architecture import Architecture
from yolojax.network.masking import apply_masks
from yolojax.network.variables import BatchStats, Masks, Params, Variables


def names_or_numbers(architecture: Architecture, names: tuple[str, ...]) -> tuple[str, ...]:
    """The names of the classes; `class 0` and on where there are none. ArchitectureError without a region layer."""
    return names or tuple(f"class {label}" for label in range(architecture.region.classes))


@dataclasses.dataclass(frozen=True)
class Model:
    """The pair (architecture, variables), its class names (empty where the file has none), images seen."""

    architecture: Architecture
    variables: Variables
    names: tuple[str, ...] = ()
    seen: int = 0

    @property
    def params(self) -> Params:
        """What is learned: {convolution: {kernel, bias, and scale where it is batch-normalised}}."""
        return self.variables["params"]

    @property
    def batch_stats(self) -> BatchStats:
        """The running statistics: {batch-normalised convolution: {mean, var}}."""
        return self.variables["batch_stats"]

    def with_params(self, params: Params) -> "Model":
        """The model with other parameters; its statistics stay."""
        return dataclasses.replace(self, variables={**self.variables, "params": params})

    def masked(self, masks: Masks) -> "Model":
        """The model with exactly 0 wherever a mask is False. Raises ValueError for masks that do not fit."""
        return self.with_params(apply_masks(self.params, masks))
