"""The BCCD network without 40% of its filters, retrained.

    python -m yolojax.prune --config configs/bccd_filter40.py --config.data=devkit:PATH/bccd

For two CPU cores, after configs/bccd_train.py.
"""

import ml_collections

from configs import bccd_train


def get_config() -> ml_collections.ConfigDict:
    """The BCCD network, pruned."""
    config = bccd_train.get_config()
    config.model = "runs/bccd_train/model.weights"
    config.steps = 250
    config.learning_rate = 5e-4
    config.update(method="filter", amount=0.4, criterion="mean_square", scope="global", min_filters=4, exclude=())
    return config
