"""The trees that pruning works on."""

from collections.abc import Mapping

import jax
import numpy as np
from jaxtyping import Bool, Float

# One leaf of a tree: float32 of any shape.
Leaf = Float[jax.Array, "..."] | Float[np.ndarray, "..."]
# {convolution: {kernel, bias, scale: leaf}}
Params = Mapping[str, Mapping[str, Leaf]]
# {convolution: {mean, var: leaf}}; empty where nothing is batch-normalised.
BatchStats = Mapping[str, Mapping[str, Leaf]]
# {"params": ..., "batch_stats": ...}
Variables = Mapping[str, Params]
# A tree like params; True keeps.
Mask = Bool[jax.Array, "..."] | Bool[np.ndarray, "..."]
Masks = Mapping[str, Mapping[str, Mask]]
# {convolution: (filters,)}, or the kernel's shape for weights; what scores lowest is dropped first.
Scores = Mapping[str, jax.Array | np.ndarray]
# What training takes: image (B, H, W, 3) uint8, truth (B, T, 5) float32.
Batch = Mapping[str, jax.Array | np.ndarray]
