r"""Which way of pruning keeps the mAP: tiny YOLOv2 on a small set of real images, one row for each way.

    python -m yolojax.study --config configs/study_real.py --config.data.source=devkit:PATH/cards \
        --config.model.start=runs/cards/model.weights --workdir runs/study_cards

For two CPU cores, after configs/tiny_train.py; `--rows` chooses. A run takes half a minute where nothing is trained,
else five to thirty minutes. `unpruned-longer` tells whether the network was done; prune its own model.weights where it
was not. The results are in docs/results.
"""

import ml_collections

from configs import tiny_train

NO_TRAINING = "train.steps=0 train.epochs=0 prune.repair=True"


def get_config() -> ml_collections.ConfigDict:
    """The rows that `docs/methods.md` is written from."""
    config = tiny_train.get_config()
    config.model.backbone = ""
    config.model.anchors = "cfg"
    config.model.start = "runs/cards/model.weights"
    config.train.steps = 600
    config.train.epochs = 0
    config.train.stretch = 4.0
    config.study.control = False
    config.study.rows = (
        f"repaired-50 prune.budget=macs=50% {NO_TRAINING}",
        f"repaired-30 prune.budget=macs=30% {NO_TRAINING}",
        f"repaired-16 prune.budget=macs=16% {NO_TRAINING}",
        f"repaired-16-fisher prune.budget=macs=16% prune.criterion=fisher {NO_TRAINING}",
        f"repaired-16-rounds prune.budget=macs=16% prune.rounds=4 {NO_TRAINING}",
        "unpruned-trained-on prune.method=weight prune.amount=0",
        "unpruned-longer prune.method=weight prune.amount=0 train.steps=2400",
        "macs-16 prune.budget=macs=16% prune.repair=True study.seeds=(0,1,2)",
        "macs-16-distilled prune.budget=macs=16% prune.repair=True train.distill=1",
        "macs-16-1e-4 prune.budget=macs=16% prune.repair=True train.learning_rate=1e-4",
        "macs-16-3e-4 prune.budget=macs=16% prune.repair=True train.learning_rate=3e-4",
        "macs-4.3 prune.budget=macs=4.3% prune.repair=True",
        "macs-16-file prune.budget=macs=16% prune.repair=True prune.then_weights=0.6 prune.cluster_bits=4",
        "macs-30 prune.budget=macs=30% prune.repair=True",
        "macs-30-1e-4 prune.budget=macs=30% prune.repair=True train.learning_rate=1e-4",
        "macs-4.3-distilled prune.budget=macs=4.3% prune.repair=True train.distill=1",
        "macs-4.3-teacher prune.budget=macs=4.3% prune.repair=True train.labels=teacher",
        "macs-4.3-longer prune.budget=macs=4.3% prune.repair=True train.stretch=8",
        "macs-7-longer prune.budget=macs=7% prune.repair=True train.stretch=8 study.seeds=(0,1,2)",
        "macs-4.3-random-weights prune.budget=macs=4.3% prune.restart=True",
        "macs-16-study prune.budget=macs=16% prune.criterion=mean_square prune.allocation=global prune.floor=0",
        "macs-16-random-filters prune.budget=macs=16% prune.criterion=random prune.allocation=uniform",
        "weights-5 prune.method=weight prune.budget=weights=5% prune.rounds=10",
        "weights-5-longer prune.method=weight prune.budget=weights=5% prune.rounds=10 train.steps=2400",
        "weights-2 prune.method=weight prune.budget=weights=2% prune.rounds=10",
    )
    return config
