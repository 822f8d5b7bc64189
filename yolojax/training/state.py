"""What training changes: one pytree."""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import struct


@struct.dataclass
class TrainState:
    """`step` and `seen` (images) are int32 scalars; `opt_state` holds the masks when the network is pruned."""

    step: jax.Array
    seen: jax.Array
    params: Any
    batch_stats: Any
    opt_state: Any

    @property
    def variables(self) -> dict[str, Any]:
        """The tree that `network.apply` takes."""
        return {"params": self.params, "batch_stats": self.batch_stats}


def create_state(variables: Any, optimizer: optax.GradientTransformation, *, seen: int = 0) -> TrainState:
    """A state at step 0. `seen` is how many images the network was trained on before; it goes into the region loss."""
    variables = jax.tree.map(jnp.asarray, variables)
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        seen=jnp.asarray(min(seen, SEEN_MAX), jnp.int32),
        params=variables["params"],
        batch_stats=variables["batch_stats"],
        opt_state=optimizer.init(variables["params"]),
    )


# The loss asks only whether `seen` passed 12,800; files of long trainings hold more than an int32.
SEEN_MAX = 2**30
