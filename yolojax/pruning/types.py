"""The trees that pruning works on, beside those of the network."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool, Float

from yolojax.network import AnyArray

# One leaf of masks; True keeps.
Mask = Bool[AnyArray, "..."]
# Parameters or masks.
Tree = Mapping[str, Mapping[str, AnyArray]]
# {convolution: (filters,)}, or the kernel's shape for weights; what scores lowest is dropped first.
Scores = Mapping[str, AnyArray]
# {convolution: (C + 1, C + 1)}: see `moments.input_moments`.
Moments = Mapping[str, Float[np.ndarray, "_ _"]]
# What training takes: image (B, H, W, 3) uint8, truth (B, T, 5) float32.
Batch = Mapping[str, AnyArray]
