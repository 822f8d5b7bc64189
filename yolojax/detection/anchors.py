"""Anchors for a data set: k-means over the shapes of its boxes (YOLOv2 paper, section 2, "Dimension Clusters")."""

import numpy as np
from jaxtyping import Float

# Means do not maximise IoU, so nothing proves that the clusters settle; in practice they do within tens of rounds.
MAX_ROUNDS = 1000


def kmeans_anchors(sizes: Float[np.ndarray, "boxes 2"], k: int, *, seed: int) -> Float[np.ndarray, "{k} 2"]:
    """`k` widths and heights in the unit of those given, smallest area first; the distance is 1 - IoU.

    Raises ValueError when a side is not positive or there are fewer than `k` different shapes.
    """
    if not np.all(sizes > 0):
        raise ValueError("sizes hold a width or height that is not positive, expected boxes with an area")
    distinct = np.unique(sizes, axis=0)
    if len(distinct) < k:
        raise ValueError(f"{len(distinct)} different box shapes, expected at least k = {k}")
    rng = np.random.default_rng(seed)
    centres = _spread(distinct, k, rng)
    nearest = np.full(len(sizes), -1)
    for _ in range(MAX_ROUNDS):
        again = np.argmax(shape_iou(sizes, centres), axis=1)
        if np.array_equal(again, nearest):
            break
        nearest = again
        # A cluster that lost all its boxes keeps its centre.
        centres = np.stack([sizes[nearest == i].mean(axis=0) if np.any(nearest == i) else centres[i] for i in range(k)])
    return centres[np.argsort(centres.prod(axis=1))]


def mean_iou(sizes: Float[np.ndarray, "boxes 2"], anchors: Float[np.ndarray, "anchors 2"]) -> float:
    """The mean over boxes of the IoU with the anchor that fits best; 1 is perfect."""
    return float(shape_iou(sizes, anchors).max(axis=1).mean())


def shape_iou(a: Float[np.ndarray, "n 2"], b: Float[np.ndarray, "k 2"]) -> Float[np.ndarray, "n k"]:
    """IoU of shapes (width, height) on one centre, each with each."""
    intersection = np.minimum(a[:, None], b[None]).prod(axis=-1)
    return intersection / (a.prod(axis=-1)[:, None] + b.prod(axis=-1)[None] - intersection)


def _spread(sizes: Float[np.ndarray, "boxes 2"], k: int, rng: np.random.Generator) -> Float[np.ndarray, "{k} 2"]:
    """k-means++: each next centre far from those before, with a probability of the squared distance."""
    centres = sizes[[rng.integers(len(sizes))]]
    while len(centres) < k:
        weight = (1 - shape_iou(sizes, centres).max(axis=1)) ** 2
        centres = np.concatenate([centres, sizes[[rng.choice(len(sizes), p=weight / weight.sum())]]])
    return centres
