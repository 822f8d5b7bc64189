"""The original study: its rows, its recipe, the published yolov2-voc.weights.

    python -m yolojax.study --config configs/study_voc.py --config.model.start=yolov2-voc.weights

For one H100 or a TPU v3-8; eight rows of 100 epochs of VOC07+12 trainval at batch 32. The report sets the original's
numbers beside what this run measures. No sensitivity analysis: the published network has seen every image of VOC with
public annotations but the test split, by which rows are judged.
"""

import ml_collections

from configs import base


def get_config() -> ml_collections.ConfigDict:
    """The study on VOC2007."""
    config = base.get_config()
    config.model.start = "yolov2-voc.weights"
    config.eval.size = 416
    config.train.sizes = (416,)
    config.train.eval_every = 5000
    config.study.filter_amounts = (0.2, 0.4, 0.6, 0.8)
    config.study.weight_amounts = (0.7, 0.75, 0.8, 0.9)
    return config
