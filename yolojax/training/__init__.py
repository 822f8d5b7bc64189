"""Training and evaluation over the local devices, and what they save."""

from yolojax.training.checkpoints import Checkpoints
from yolojax.training.detector import Detector
from yolojax.training.distillation import (
    Teacher,
    distillation_loss,
    head_distillation_terms,
    make_teacher,
    map_distance,
)
from yolojax.training.evaluation import AGREEMENT, WITHOUT_LABELS, Evaluation, Evaluator, Matching, Protocol, score
from yolojax.training.loop import LoopSettings, fit
from yolojax.training.losses import LOSSES, LossFn, region_loss
from yolojax.training.metrics import read_metrics
from yolojax.training.models import new_head, new_model, require_names
from yolojax.training.optimizer import OPTIMIZERS, SCHEDULES, learning_rate_schedule, make_optimizer
from yolojax.training.parallel import (
    StepFn,
    check_batch_size,
    compile_train_step,
    replicate,
    unreplicate,
)
from yolojax.training.state import TrainState, create_state
from yolojax.training.steps import train_step

__all__ = [
    "AGREEMENT",
    "LOSSES",
    "OPTIMIZERS",
    "SCHEDULES",
    "WITHOUT_LABELS",
    "Checkpoints",
    "Detector",
    "Evaluation",
    "Evaluator",
    "LoopSettings",
    "LossFn",
    "Matching",
    "Protocol",
    "StepFn",
    "Teacher",
    "TrainState",
    "check_batch_size",
    "compile_train_step",
    "create_state",
    "distillation_loss",
    "fit",
    "head_distillation_terms",
    "learning_rate_schedule",
    "make_optimizer",
    "make_teacher",
    "map_distance",
    "new_head",
    "new_model",
    "read_metrics",
    "region_loss",
    "replicate",
    "require_names",
    "score",
    "train_step",
    "unreplicate",
]
