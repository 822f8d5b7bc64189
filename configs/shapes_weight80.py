"""The demo's network without 80% of its kernel weights, retrained on the generated shapes.

    python -m yolojax.prune --config configs/shapes_weight80.py --config.model.start=runs/shapes_train/model.weights

For two CPU cores: a minute, mAP .222 pruned and .673 retrained.
"""

import ml_collections

from configs import shapes_train


def get_config() -> ml_collections.ConfigDict:
    """The demo's network, pruned."""
    config = shapes_train.get_config()
    config.model.start = "runs/shapes_train/model.weights"
    config.train.steps = 150
    config.train.learning_rate = 1e-3
    config.prune.method = "weight"
    config.prune.amount = 0.8
    return config
