"""Tiny YOLOv2 trained from nothing on BCCD (blood cells, 3 classes, devkit layout).

    python -m yolojax.train --config configs/bccd_train.py --config.data.source=devkit:PATH/bccd

For two CPU cores: 25 minutes, mAP .46 at 192x192.
"""

import ml_collections

from configs import base


def get_config() -> ml_collections.ConfigDict:
    """The network that the BCCD pruning runs start from."""
    config = base.get_config()
    config.model.cfg = "third_party/darknet/yolov2-tiny-voc.cfg"
    config.model.anchors = "kmeans"
    config.data.source = "devkit:bccd"
    config.eval.size = 192
    config.train.sizes = (192,)
    config.train.batch_size = 8
    config.train.steps = 3600
    config.train.optimizer = "adam"
    config.train.learning_rate = 1e-3
    config.train.schedule = "cosine"
    config.train.warmup_steps = 50
    return config
