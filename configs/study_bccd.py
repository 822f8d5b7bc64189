"""The study on BCCD (blood cells, 3 classes) with tiny YOLOv2.

    python -m yolojax.study --config configs/study_bccd.py --config.data=devkit:PATH/bccd

For two CPU cores, after configs/bccd_train.py and configs/bccd_tune.py: an hour. The result is in docs/results/bccd.
"""

import ml_collections

from configs import bccd_filter40, study_base


def get_config() -> ml_collections.ConfigDict:
    """The study on BCCD."""
    config = bccd_filter40.get_config()
    config.update(study_base.STUDY)
    config.eval_every = 50
    return config
