r"""Tiny YOLOv2 from its published backbone on a small data set of one's own, in devkit layout.

    python -m yolojax.train --config configs/tiny_train.py --config.data.source=devkit:PATH/cards \
        --config.model.backbone=PATH/tiny-yolo-voc.conv.10 --workdir runs/cards

For two CPU cores: a quarter of an hour.
"""

import ml_collections

from configs import base


def get_config() -> ml_collections.ConfigDict:
    """The unpruned network of the experiments on real images."""
    config = base.get_config()
    config.model.cfg = "third_party/darknet/yolov2-tiny-voc.cfg"
    config.model.backbone = "tiny-yolo-voc.conv.10"
    config.model.cutoff = 10
    config.model.anchors = "kmeans"
    config.data.source = "devkit:cards"
    config.eval.size = 256
    config.train.sizes = (256,)
    config.train.batch_size = 8
    config.train.steps = 1200
    config.train.optimizer = "adam"
    config.train.learning_rate = 1e-3
    config.train.schedule = "cosine"
    config.train.warmup_steps = 50
    return config
