"""The demo's network without 40% of its filters, retrained on the generated shapes.

    python -m yolojax.prune --config configs/shapes_filter40.py --config.model.start=runs/shapes_train/model.weights

For two CPU cores: a minute, mAP .275 pruned and .619 retrained.
"""

import ml_collections

from configs import shapes_train


def get_config() -> ml_collections.ConfigDict:
    """The demo's network, pruned."""
    config = shapes_train.get_config()
    config.model.start = "runs/shapes_train/model.weights"
    config.train.steps = 150
    config.train.learning_rate = 1e-3
    config.prune.method = "filter"
    config.prune.amount = 0.4
    config.prune.min_filters = 4
    return config
