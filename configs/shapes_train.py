"""A small network with every layer kind, trained from nothing on the generated shapes.

    python -m yolojax.train --config configs/shapes_train.py

For two CPU cores: 5 minutes, mAP .766.
"""

import ml_collections

from configs import base


def get_config() -> ml_collections.ConfigDict:
    """The demo's first step."""
    config = base.get_config()
    config.model.cfg = "configs/shapes.cfg"
    config.model.anchors = "kmeans"
    config.data.source = "shapes"
    config.data.train_split = "train"
    config.eval.size = 160
    config.train.sizes = (160,)
    config.train.steps = 1000
    config.train.batch_size = 16
    config.train.optimizer = "adam"
    config.train.learning_rate = 2e-3
    config.train.schedule = "cosine"
    config.train.warmup_steps = 50
    return config
