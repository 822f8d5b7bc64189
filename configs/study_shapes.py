"""The study on the generated shapes: trains the small network of the demo, then prunes and retrains it row by row.

    python -m yolojax.study --config configs/study_shapes.py

For two CPU cores: 13 minutes.
"""

import ml_collections

from configs import shapes_filter40, shapes_train


def get_config() -> ml_collections.ConfigDict:
    """The study on generated shapes."""
    config = shapes_filter40.get_config()
    config.model.start = ""
    train = shapes_train.get_config().train
    config.study.baseline_steps, config.study.baseline_learning_rate = train.steps, train.learning_rate
    config.study.filter_amounts = (0.2, 0.4, 0.6, 0.8)
    config.study.weight_amounts = (0.7, 0.75, 0.8, 0.9)
    config.study.sensitivity_amounts = (0.1, 0.3, 0.5, 0.7, 0.9)
    config.train.steps = 100
    config.train.eval_every = 50
    return config
