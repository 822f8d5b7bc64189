"""YOLOv2 without 40% of its filters, by normalised mean square and one global threshold (the study's criterion).

    python -m yolojax.prune --config configs/filter40.py --config.model.start=yolov2-voc.weights

For one H100 or a TPU v3-8; 100 epochs of VOC07+12 trainval at batch 32. The study reported, on VOC2007 test at
confidence 0.25, mAP .0976 pruned and .6717 retrained.
"""

import ml_collections

from configs import base


def get_config() -> ml_collections.ConfigDict:
    """The study's filter row at 40%."""
    config = base.get_config()
    config.model.start = "yolov2-voc.weights"
    config.eval.size = 416
    config.train.sizes = (416,)
    config.prune.method = "filter"
    config.prune.amount = 0.4
    return config
