"""Whole runs: from a config or flags to a folder of results."""

from yolojax.experiments.convert_run import convert
from yolojax.experiments.detect_run import detect_files
from yolojax.experiments.evaluate_run import evaluate_detections, evaluate_model, read_names, show
from yolojax.experiments.prune_run import run_pruning
from yolojax.experiments.study_run import run_study
from yolojax.experiments.train_run import run_training

__all__ = [
    "convert",
    "detect_files",
    "evaluate_detections",
    "evaluate_model",
    "read_names",
    "run_pruning",
    "run_study",
    "run_training",
    "show",
]
