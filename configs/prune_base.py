"""What every pruning run declares, on top of configs/base.py: published weights, pruned and retrained on VOC."""

import ml_collections

from configs import base

PRUNING = {
    "method": "filter",  # or "weight"
    "amount": 0.4,  # of the filters before the head, or of the kernel weights
    "criterion": "mean_square",  # filters: or "l1" (Li et al. 2016). Weights: "magnitude" (Han et al. 2015)
    "scope": "",  # "global", one threshold for all layers, or "layer"; "" as published: l1 by layer, the others global
    "min_filters": 1,  # kept in each layer; in whole groups before a reorg
    "round_to": 1,  # filters left in a layer are a multiple of it
    "amounts": "",  # a sensitivity.json of yolojax.study: `amount` spread over the layers by what they bear
    "exclude": (),  # layers that are not filter-pruned, as in ("conv_00",)
}


def get_config() -> ml_collections.ConfigDict:
    """The fields of a pruning run."""
    config = base.get_config()
    config.model = "yolov2-voc.weights"
    config.update(PRUNING)
    return config
