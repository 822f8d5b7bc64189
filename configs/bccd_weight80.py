"""The BCCD network without 80% of its kernel weights, retrained.

    python -m yolojax.prune --config configs/bccd_weight80.py --config.data=devkit:PATH/bccd

For two CPU cores, after configs/bccd_train.py and configs/bccd_tune.py: 5 minutes, mAP .290 pruned and .627 retrained.
"""

import ml_collections

from configs import bccd_tune, prune_base


def get_config() -> ml_collections.ConfigDict:
    """The BCCD network, pruned."""
    config = bccd_tune.get_config()
    config.model = "runs/bccd_tune/model.weights"
    config.steps = 300
    config.learning_rate = 5e-4
    config.update(prune_base.PRUNING)
    config.method = "weight"
    config.amount = 0.8
    config.criterion = "magnitude"
    return config
