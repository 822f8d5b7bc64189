"""The study on BCCD (blood cells, 3 classes) with tiny YOLOv2.

    python -m yolojax.study --config configs/study_bccd.py --config.data.source=devkit:PATH/bccd

For two CPU cores, after configs/bccd_train.py and configs/bccd_tune.py: an hour. The result is in docs/results/bccd.

The rows sensitivity-filter and sensitivity-weight need images that no training saw: give all three configs
--config.data.train_split=train, and this one --config.study.sensitivity_amounts="(0.1,0.3,0.5,0.7,0.9)".
"""

import ml_collections

from configs import bccd_filter40


def get_config() -> ml_collections.ConfigDict:
    """The study on BCCD."""
    config = bccd_filter40.get_config()
    config.train.eval_every = 50
    config.study.filter_amounts = (0.2, 0.4, 0.6, 0.8)
    config.study.weight_amounts = (0.7, 0.75, 0.8, 0.9)
    return config
