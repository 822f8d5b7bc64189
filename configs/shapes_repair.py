"""The demo's network at half of its MACs, repaired and not retrained: no labels, seconds.

    python -m yolojax.prune --config configs/shapes_repair.py --config.model.start=runs/shapes_train/model.weights

For two CPU cores: half a minute, most of it for measuring.
"""

import ml_collections

from configs import shapes_train


def get_config() -> ml_collections.ConfigDict:
    """The demo's network, pruned to a budget and repaired."""
    config = shapes_train.get_config()
    config.model.start = "runs/shapes_train/model.weights"
    config.train.steps = config.train.epochs = 0
    config.prune.budget = "macs=50%"
    config.prune.repair = True
    return config
