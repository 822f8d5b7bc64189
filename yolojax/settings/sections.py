"""The fields of a config, in sections. The defaults are the study's recipe on VOC2007."""

import dataclasses
from typing import ClassVar

from yolojax import data, pruning, runtimes, training
from yolojax.settings.declaration import Section, option


@dataclasses.dataclass(frozen=True)
class ModelSettings(Section):
    """The network: what to start from, and the layers where that does not give them."""

    name: ClassVar[str] = "model"
    start: str = option("", "a file of a network, a checkpoint folder or workdir of a run; empty: random weights")
    cfg: str = option("third_party/darknet/yolov2-voc.cfg", "the layers, where the start does not give them")
    backbone: str = option("", "a .weights file of which the first `cutoff` layers are taken, as darknet19_448.conv.23")
    cutoff: int = option(23, "layers that are taken of the backbone", least=0)
    anchors: str = option("cfg", "the cfg's, or by k-means over the training set's shapes", choices=("cfg", "kmeans"))
    transfer: bool = option(
        True, "train: on data of other classes than the start's, a new head; else that is an error", free=True
    )
    dtype: str = option("float32", "what to compute in; parameters stay float32", choices=("float32", "bfloat16"))


@dataclasses.dataclass(frozen=True)
class DataSettings(Section):
    """The data set."""

    name: ClassVar[str] = "data"
    source: str = option("voc0712", data.describe_sources())
    dir: str = option("", "where TFDS keeps prepared data; empty: TFDS's own default", free=True)
    names: str = option("", "a file with one class name per line; empty: the model's or the data's")
    train_split: str = option("trainval", "what to train on")
    eval_split: str = option("test", "what to measure on")
    hold_out: float = option(
        0.0, "share of train_split that is not trained on, and is the validation split", least=0, most=1, open=True
    )
    max_boxes: int = option(50, "objects per training image; more are dropped and counted", least=1)
    threads: int = option(2, "threads that decode and augment", least=1, free=True)


@dataclasses.dataclass(frozen=True)
class TrainSettings(Section):
    """Training, or retraining after pruning."""

    name: ClassVar[str] = "train"
    batch_size: int = option(32, "images per step, over all devices of all processes", least=1)
    epochs: int = option(100, "passes over the training set", least=0, free=True)
    steps: int = option(0, "in place of epochs, if positive", least=0, free=True)
    stretch: float = option(
        1.0,
        "a pruned network takes up to so many times the steps, no more than the factor by which its MACs fell",
        least=1,
    )
    sizes: tuple[int, ...] = option((0,), "image sizes in pixels, a new one every 10 batches; 0: the network's own")
    loss: str = option("region", "what is minimised", choices=training.LOSSES)
    labels: str = option(
        "data", "what is learned: the data's, or the unpruned network's outputs alone", choices=("data", "teacher")
    )
    distill: float = option(
        0.0, "weight of the distance to the unpruned network's head; 0: 1 without the data's labels, else off", least=0
    )
    distill_features: float = option(0.0, "weight of the distance to its maps at distill_layers", least=0)
    distill_layers: tuple[str, ...] = option((), "convolutions whose maps are compared, as in ('conv_12',)")
    optimizer: str = option("sgd", "the update of one step", choices=training.OPTIMIZERS)
    learning_rate: float = option(1e-4, "its largest value", least=0)
    schedule: str = option("constant", "of the learning rate", choices=training.SCHEDULES)
    warmup_steps: int = option(0, "steps in which the learning rate rises from 0", least=0)
    momentum: float = option(0.9, "of SGD; Adam's first moment", least=0, most=1)
    decay: float = option(5e-4, "weight decay, on kernels only", least=0)
    jitter: float = option(0.2, "largest shift of the crop's edges, a share of the image's sides", least=0, most=1)
    hue: float = option(0.1, "largest shift of hue, a share of the colour circle", least=0, most=1)
    saturation: float = option(1.5, "largest factor of saturation", least=1)
    exposure: float = option(1.5, "largest factor of exposure", least=1)
    flip: bool = option(True, "mirror half of the images")
    seed: int = option(0, "seed of everything random", least=0)
    log_every: int = option(20, "steps between log lines", least=1, free=True)
    save_every: int = option(500, "steps between checkpoints", least=1, free=True)
    eval_every: int = option(0, "steps between mAPs for the log; 0: only at the end", least=0, free=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if bool(self.distill_features) != bool(self.distill_layers):
            raise ValueError(
                f"train.distill_features {self.distill_features} and train.distill_layers {self.distill_layers}: give "
                f"both, a weight and the layers, or neither"
            )

    @property
    def taught(self) -> bool:
        """Whether the training learns from the unpruned network, with or without labels."""
        return self.labels == "teacher" or self.distill > 0 or self.distill_features > 0

    @property
    def distill_head(self) -> float:
        """The weight of the distance to the teacher's head; where there are no labels and no weight, 1."""
        return self.distill or float(self.labels == "teacher")

    @property
    def nothing(self) -> bool:
        """Whether there is nothing to train, as after a repair."""
        return not (self.steps or self.epochs)

    def check(self) -> None:
        """Raises ValueError when there is nothing to train."""
        if self.nothing:
            raise ValueError("train.steps and train.epochs are both 0; give one of them")


@dataclasses.dataclass(frozen=True)
class EvalSettings(Section):
    """Evaluation: the VOC protocol."""

    name: ClassVar[str] = "eval"
    size: int = option(0, "side of the input, in pixels; 0: the network's own", least=0)
    batch_size: int = option(16, "images per step, over all devices", least=1, free=True)
    score_threshold: float = option(0.005, "scores below this do not count", least=0, most=1)
    nms_iou: float = option(0.45, "a box that overlaps a better one of its class by more goes", least=0, most=1)
    runtime: str = option(
        "",
        "in which the milliseconds of an image are measured; empty: the fastest that is installed",
        choices=("", "none", *runtimes.RUNTIMES),
        free=True,
    )
    pictures: int = option(6, "images in the report's picture", least=0, free=True)


@dataclasses.dataclass(frozen=True)
class PruneSettings(Section):
    """What is dropped."""

    name: ClassVar[str] = "prune"
    method: str = option("filter", "what is dropped", choices=("filter", "weight"))
    amount: float = option(
        0.4, "the share of the filters before the head, or of the kernel weights", least=0, most=1, open=True
    )
    budget: str = option(
        "", "what may be left, as in macs=30%, latency=5ms, params=1M, bytes=2MB or weights=5%; in place of the amount"
    )
    allocation: str = option(
        "cost",
        "with a budget of filters: the order over all layers, by score over cost, by score, or the same share of each",
        choices=pruning.ALLOCATIONS,
    )
    latency_table: str = option("", "a latency.json of another run; empty: measured once for a machine and kept")
    floor: float = option(0.1, "with a budget of filters: the share of each layer that stays", least=0, most=1)
    repair: bool = option(False, "what stays of a layer stands in for what went, before any training")
    criterion: str = option(
        "", "how filters or weights are scored; empty: lamp for a budget of filters, else the study's"
    )
    scope: str = option(
        "",
        "one threshold, the same share of each layer, or of weights a share for each; empty: as published",
        choices=("", *pruning.SCOPES["weight"]),
    )
    min_filters: int = option(1, "without a budget: kept in each layer; in whole groups before a reorg", least=1)
    round_to: int = option(1, "filters left in a layer of four times as many are a multiple of it", least=1)
    amounts: str = option("", "a sensitivity.json: what goes is spread over the layers by how much each tolerates")
    images: int = option(128, "training images that a criterion or the repair sees, if it needs any", least=1)
    seed: int = option(0, "of a criterion that is random", least=0)
    rounds: int = option(
        1, "filters are chosen in so many rounds before any training; weights go in as many while training", least=1
    )
    restart: bool = option(False, "train the smaller network from random weights, a control of what its shape is worth")
    then_weights: float = option(
        0.0,
        "with filters: the share of the smaller network's kernel weights that goes while training",
        least=0,
        most=1,
        open=True,
    )
    then_rounds: int = option(10, "rounds in which they go", least=1)
    then_criterion: str = option("magnitude", "how they are scored")
    cluster_bits: int = option(
        0, "a compressed file with 2**bits values per kernel, measured; 0: none", least=0, most=8
    )
    exclude: tuple[str, ...] = option((), "layers whose filters all stay, as in ('conv_00',)")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.method == "weight" and self.repair:
            raise ValueError("prune.repair is for filters; prune.method is weight")
        if self.budget:
            self._check_budget(pruning.parse_budget(self.budget))
        known = [name for name, criterion in pruning.CRITERIA.items() if criterion.kind == self.method]
        if self.criterion and self.criterion not in known:
            raise ValueError(
                f"prune.criterion {self.criterion!r}, expected one of {', '.join(known)} for {self.method}s"
            )
        if self.method == "weight" and (self.then_weights or self.restart):
            raise ValueError("prune.then_weights and prune.restart are for filters; prune.method is weight")
        self._check_then()
        if self.scope and self.scope not in pruning.SCOPES[self.kind]:
            raise ValueError(
                f"prune.scope {self.scope!r}, expected one of {', '.join(pruning.SCOPES[self.kind])} for {self.method}s"
            )

    def _check_then(self) -> None:
        known = [
            name
            for name, criterion in pruning.CRITERIA.items()
            if criterion.kind == "weight" and not criterion.needs.data
        ]
        if self.then_criterion not in known:
            raise ValueError(f"prune.then_criterion {self.then_criterion!r}, expected one of {', '.join(known)}")

    def _check_budget(self, budget: pruning.Budget) -> None:
        if self.amounts and self.method == "weight":
            raise ValueError("prune.budget with prune.amounts is for filters; prune.method is weight")
        if self.amounts and self.allocation == "uniform":
            raise ValueError(
                "prune.allocation 'uniform' takes the same share of each layer, so prune.amounts would say nothing; "
                "leave one of them out"
            )
        if self.method == "weight" and budget.unit not in pruning.WEIGHT_UNITS:
            raise ValueError(
                f"prune.budget {self.budget!r}, expected {' or '.join(pruning.WEIGHT_UNITS)} and how much for weights: "
                "zeros leave the work and the filters as they are"
            )

    @property
    def kind(self) -> pruning.Kind:
        """`method`, as `pruning` types it."""
        return "filter" if self.method == "filter" else "weight"

    @property
    def chosen(self) -> pruning.Criterion:
        """The criterion; where the config leaves it open, `lamp` for filters with a budget, else the study's."""
        default = "lamp" if self.budget and self.kind == "filter" else pruning.DEFAULT_CRITERIA[self.kind]
        return pruning.CRITERIA[self.criterion or default]

    @property
    def chosen_scope(self) -> str:
        """The scope; where the config leaves it open, what the criterion was published with."""
        return self.scope or self.chosen.scope

    @property
    def gradual(self) -> bool:
        """Whether weights go in rounds, while training."""
        return self.kind == "weight" and self.rounds > 1


@dataclasses.dataclass(frozen=True)
class StudySettings(Section):
    """The rows of a study."""

    name: ClassVar[str] = "study"
    rows: tuple[str, ...] = option(
        (),
        "each a name and fields of prune and train, or study.seeds, as in 'half prune.budget=macs=50% train.steps=60'",
        free=True,
    )
    filter_amounts: tuple[float, ...] = option((), "a row for each", free=True)
    weight_amounts: tuple[float, ...] = option((), "a row for each", free=True)
    filter_criterion: str = option("", "of the rows that drop filters; empty: as in the study")
    weight_criterion: str = option("", "of the rows that drop weights; empty: as in the study")
    control: bool = option(True, "the unpruned network retrained alike: what retraining alone brings", free=True)
    seeds: tuple[int, ...] = option((0,), "of the retraining: one run per row and seed", free=True)
    sensitivity_amounts: tuple[float, ...] = option((), "shares dropped of one layer alone", free=True)
    sensitivity_split: str = option("validation", "amounts per layer are chosen by it: neither trained on nor the test")
    baseline_steps: int = option(0, "of the unpruned network's training, where model.start is empty", least=0)
    baseline_learning_rate: float = option(0.0, "likewise; 0 is that of the rows", least=0)
