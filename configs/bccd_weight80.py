"""The BCCD network without 80% of its kernel weights, retrained.

    python -m yolojax.prune --config configs/bccd_weight80.py --config.data=devkit:PATH/bccd

For two CPU cores, after configs/bccd_train.py.
"""

import ml_collections

from configs import bccd_train, prune_base


def get_config() -> ml_collections.ConfigDict:
    """The BCCD network, pruned."""
    config = bccd_train.get_config()
    config.model = "runs/bccd_train/model.weights"
    config.steps = 600
    config.learning_rate = 5e-4
    config.update(prune_base.PRUNING)
    config.method = "weight"
    config.amount = 0.8
    config.criterion = "magnitude"
    return config
