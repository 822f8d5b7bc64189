"""A small network with every layer kind, trained from nothing on the generated shapes.

    python -m yolojax.train --config configs/shapes_train.py

For two CPU cores: 5 minutes, mAP .766.
"""

import ml_collections

from configs import base


def get_config() -> ml_collections.ConfigDict:
    """The demo's first step."""
    config = base.get_config()
    config.cfg = "configs/shapes.cfg"
    config.anchors = "kmeans"
    config.data = "shapes"
    config.train_split = "train"
    config.size = 160
    config.sizes = (160,)
    config.steps = 1000
    config.batch_size = 16
    config.optimizer = "adam"
    config.learning_rate = 2e-3
    config.schedule = "cosine"
    config.warmup_steps = 50
    return config
