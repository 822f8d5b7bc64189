"""One run of each command: from a config or flags to a folder of results."""

from yolojax.runs.benchmark import benchmark, parse_batch
from yolojax.runs.convert import convert, save
from yolojax.runs.detect import detect_files
from yolojax.runs.evaluate import evaluate_detections, evaluate_program, read_names, show
from yolojax.runs.prune import run_pruning
from yolojax.runs.steps import make_model, prune_model, train_further
from yolojax.runs.train import run_training

__all__ = [
    "benchmark",
    "convert",
    "detect_files",
    "evaluate_detections",
    "evaluate_program",
    "make_model",
    "parse_batch",
    "prune_model",
    "read_names",
    "run_pruning",
    "run_training",
    "save",
    "show",
    "train_further",
]
