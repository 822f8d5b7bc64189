"""What training minimises. To add a loss: a function that makes it for an architecture, and its line in `LOSSES`."""

from collections.abc import Callable, Mapping
from typing import Protocol, runtime_checkable

import jax
from jaxtyping import Float, Int

from yolojax import detection
from yolojax.network import Architecture

Batch = Mapping[str, jax.Array]
Scalar = Float[jax.Array, ""]


@runtime_checkable
class LossFn(Protocol):
    """A pure function of one device's share of the batch; the step averages over the devices."""

    def __call__(
        self, head: Float[jax.Array, "batch rows columns channels"], batch: Batch, *, seen: Int[jax.Array, ""]
    ) -> dict[str, Scalar]:
        """The terms of the loss, which is their sum.

        Args:
          head: the network's output in training mode, float32.
          batch: every leaf of the batch: `image` (b, H, W, 3) uint8, `truth` (b, T, 5) float32 and what the data add;
            with a teacher also what `training.distillation` lists.
          seen: images seen in training, this batch's included.

        Returns:
          {name: float32 scalar}, each averaged over the b images; the names go into the log beside `loss`, their sum.
        """


def region_loss(architecture: Architecture) -> LossFn:
    """YOLOv2's own, of `truth`: see `detection.region_loss_terms`."""

    def loss(
        head: Float[jax.Array, "batch rows columns channels"], batch: Batch, *, seen: Int[jax.Array, ""]
    ) -> dict[str, Scalar]:
        return detection.region_loss_terms(architecture, head, batch["truth"], seen=seen)

    return loss


LOSSES: dict[str, Callable[[Architecture], LossFn]] = {"region": region_loss}
