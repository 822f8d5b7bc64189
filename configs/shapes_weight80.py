"""The demo's network without 80% of its kernel weights, retrained on the generated shapes.

    python -m yolojax.prune --config configs/shapes_weight80.py --config.model=runs/shapes_train/model.weights

For two CPU cores.
"""

import ml_collections

from configs import shapes_train


def get_config() -> ml_collections.ConfigDict:
    """The demo's network, pruned."""
    config = shapes_train.get_config()
    config.model = "runs/shapes_train/model.weights"
    config.steps = 150
    config.learning_rate = 1e-3
    config.update(method="weight", amount=0.8, criterion="magnitude", scope="global", min_filters=4, exclude=())
    return config
