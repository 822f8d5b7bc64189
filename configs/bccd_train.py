"""Tiny YOLOv2 trained from nothing on BCCD (blood cells, 3 classes, devkit layout).

    python -m yolojax.train --config configs/bccd_train.py --config.data=devkit:PATH/bccd

For two CPU cores: 25 minutes, mAP .46 at 192x192.
"""

import ml_collections

from configs import base


def get_config() -> ml_collections.ConfigDict:
    """The network that the BCCD pruning runs start from."""
    config = base.get_config()
    config.cfg = "third_party/darknet/yolov2-tiny-voc.cfg"
    config.anchors = "kmeans"
    config.data = "devkit:bccd"
    config.size = 192
    config.sizes = (192,)
    config.batch_size = 8
    config.steps = 3600
    config.optimizer = "adam"
    config.learning_rate = 1e-3
    config.schedule = "cosine"
    config.warmup_steps = 50
    return config
