"""What every study declares, on top of a pruning run: the rows of its tables, on the published weights and VOC."""

import ml_collections

from configs import prune_base

STUDY = {
    "filter_amounts": (0.2, 0.4, 0.6, 0.8),
    "weight_amounts": (0.7, 0.75, 0.8, 0.9),
    "filter_criterion": "mean_square",
    "weight_criterion": "magnitude",
    "control": True,  # the unpruned network retrained alike: what retraining alone brings
    "seeds": (0,),  # of the retraining: one run per row and seed
    "sensitivity_amounts": (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),  # of one layer alone
    "sensitivity_split": "validation",  # not the test split: amounts per layer are chosen by it
    "baseline": {},  # fields of the unpruned network's training, where `model` is "" and it is trained first
}


def get_config() -> ml_collections.ConfigDict:
    """The fields of a study."""
    config = prune_base.get_config()
    config.update(STUDY)
    return config
