"""The BCCD network without 80% of its kernel weights, retrained.

    python -m yolojax.prune --config configs/bccd_weight80.py --config.data.source=devkit:PATH/bccd

For two CPU cores, after configs/bccd_train.py and configs/bccd_tune.py: 5 minutes, mAP .290 pruned and .627 retrained.
"""

import ml_collections

from configs import bccd_tune


def get_config() -> ml_collections.ConfigDict:
    """The BCCD network, pruned."""
    config = bccd_tune.get_config()
    config.model.start = "runs/bccd_tune/model.weights"
    config.train.steps = 300
    config.train.learning_rate = 5e-4
    config.prune.method = "weight"
    config.prune.amount = 0.8
    return config
