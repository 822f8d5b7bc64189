"""A network of your own at a sixth of its MACs, repaired and retrained on your labelled images.

    python -m yolojax.prune --config configs/budget.py --config.model.start=my.weights \\
        --config.data.source=devkit:FOLDER --config.prune.budget=macs=16%

The steps are for a data set of some hundred images; the smaller the network, the more of them it takes, in about the
same time. With --config.train.labels=teacher and --config.data.source=images:FOLDER labels are not needed.
"""

import ml_collections

from configs import base


def get_config() -> ml_collections.ConfigDict:
    """A network of your own, pruned to a budget."""
    config = base.get_config()
    config.model.start = "my.weights"
    config.data.source = "devkit:FOLDER"
    config.train.batch_size = 8
    config.train.steps = 600
    config.train.epochs = 0
    config.train.stretch = 4.0
    config.train.optimizer = "adam"
    config.train.learning_rate = 1e-3
    config.train.schedule = "cosine"
    config.train.warmup_steps = 50
    config.prune.budget = "macs=16%"
    config.prune.repair = True
    return config
