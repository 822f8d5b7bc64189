"""The BCCD network trained on, at a size where small cells fill a grid cell each.

    python -m yolojax.train --config configs/bccd_tune.py --config.data.source=devkit:PATH/bccd

For two CPU cores, after configs/bccd_train.py: 11 minutes, mAP .651 at 288x288.
"""

import ml_collections

from configs import bccd_train


def get_config() -> ml_collections.ConfigDict:
    """The network that the BCCD pruning runs start from."""
    config = bccd_train.get_config()
    config.model.start = "runs/bccd_train/model.weights"
    config.model.anchors = "cfg"
    config.eval.size = 288
    config.train.sizes = (288,)
    config.train.steps = 900
    config.train.learning_rate = 5e-4
    return config
