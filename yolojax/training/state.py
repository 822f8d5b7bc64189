"""What training changes: one pytree."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import struct
from jaxtyping import Int

from yolojax.network import AnyArray, BatchStats, Params, Variables

# A scalar, or one for each device; a NumPy scalar where it was made by hand.
Count = Int[AnyArray, "*devices"] | np.integer


@struct.dataclass
class TrainState:
    """`step` and `seen` (images) are int32 scalars; `opt_state` holds the masks when the network is pruned."""

    step: Count
    seen: Count
    params: Params
    batch_stats: BatchStats
    opt_state: optax.OptState

    @property
    def variables(self) -> dict[str, Params | BatchStats]:
        """The tree that `network.apply` takes."""
        return {"params": self.params, "batch_stats": self.batch_stats}


def create_state(variables: Variables, optimizer: optax.GradientTransformation, *, seen: int = 0) -> TrainState:
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
