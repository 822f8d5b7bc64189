"""The trees that pruning works on."""

from collections.abc import Mapping

import jax
import numpy as np
from jaxtyping import Bool, Float

# What JAX's functions take alike.
AnyArray = jax.Array | np.ndarray
Leaf = Float[AnyArray, "..."]
# {convolution: {leaf: array}}, as in params["conv_00"]["kernel"] and batch_stats["conv_00"]["mean"].
Params = Mapping[str, Mapping[str, Leaf]]
BatchStats = Params
# {"params": ..., "batch_stats": ...}
Variables = Mapping[str, Params]
# A tree like params; True keeps.
Mask = Bool[AnyArray, "..."]
Masks = Mapping[str, Mapping[str, Mask]]
# Either of the two.
Tree = Mapping[str, Mapping[str, AnyArray]]
# {convolution: (filters,)}, or the kernel's shape for weights; what scores lowest is dropped first.
Scores = Mapping[str, AnyArray]
# What training takes: image (B, H, W, 3) uint8, truth (B, T, 5) float32.
Batch = Mapping[str, AnyArray]
