"""The study on BCCD (blood cells, 3 classes) with tiny YOLOv2.

    python -m yolojax.study --config configs/study_bccd.py --config.data.source=devkit:PATH/bccd

For two CPU cores, after configs/bccd_train.py and configs/bccd_tune.py: an hour. The result is in docs/results/bccd.
"""

import ml_collections

from configs import bccd_filter40


def get_config() -> ml_collections.ConfigDict:
    """The study on BCCD."""
    config = bccd_filter40.get_config()
    config.train.eval_every = 50
    return config
