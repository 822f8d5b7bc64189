"""Half of the MACs, repaired by your own pictures: no labels, no training, seconds.

    python -m yolojax.prune --config configs/repair.py --config.model.start=my.weights \\
        --config.data.source=images:FOLDER

The numbers in the report are agreement with the unpruned network, on every fifth picture.
"""

import ml_collections

from configs import base


def get_config() -> ml_collections.ConfigDict:
    """A network of your own at half of its MACs."""
    config = base.get_config()
    config.model.start = "my.weights"
    config.data.source = "images:pictures"
    config.train.steps = config.train.epochs = 0
    config.train.batch_size = 8  # of the pictures that the repair sees
    config.prune.budget = "macs=50%"
    config.prune.repair = True
    return config
