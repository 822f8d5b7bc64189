"""YOLOv2 without 80% of its kernel weights, by magnitude and one global threshold (Han et al. 2015).

    python -m yolojax.prune --config configs/weight80.py --config.model.start=yolov2-voc.weights

For one H100 or a TPU v3-8; 100 epochs of VOC07+12 trainval at batch 32. The study reported, on VOC2007 test at
confidence 0.25, mAP .0996 pruned and .6970 retrained.
"""

import ml_collections

from configs import base


def get_config() -> ml_collections.ConfigDict:
    """The study's weight row at 80%."""
    config = base.get_config()
    config.model.start = "yolov2-voc.weights"
    config.eval.size = 416
    config.train.sizes = (416,)
    config.prune.method = "weight"
    config.prune.amount = 0.8
    return config
