"""The study on the generated shapes: trains the small network of the demo, then prunes and retrains it row by row.

    python -m yolojax.study --config configs/study_shapes.py

For two CPU cores: 13 minutes.
"""

import ml_collections

from configs import shapes_filter40, shapes_train, study_base


def get_config() -> ml_collections.ConfigDict:
    """The study on generated shapes."""
    config = shapes_filter40.get_config()
    config.update(study_base.STUDY)
    config.model = ""
    train = shapes_train.get_config()
    config.baseline = {name: train[name] for name in ("steps", "learning_rate")}
    config.sensitivity_amounts = (0.1, 0.3, 0.5, 0.7, 0.9)
    config.steps = 100
    config.eval_every = 50
    return config
