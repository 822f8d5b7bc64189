"""The study: every row of both tables from one unpruned network, each a pruning run in a folder of its own."""

import json
import pathlib
from collections.abc import Sequence

import ml_collections
from absl import logging
from tqdm import tqdm

from yolojax.reporting.report import stage_to_json
from yolojax.runs import prune as prune_run
from yolojax.runs import setup
from yolojax.runs.train import train_and_measure
from yolojax.studies import report as study_report
from yolojax.studies import sensitivity
from yolojax.studies.rows import Row, all_rows, choose_rows


def run_study(config: ml_collections.ConfigDict, workdir: str | pathlib.Path, *, rows: Sequence[str] = ()) -> None:
    """Runs the rows that are not done yet and writes study.json, study.md, study.html and their pictures.

    Args:
      config: as configs/study_base.py declares.
      workdir: gets a folder per row, as `run_pruning` leaves it, and `baseline/` where the network is trained here.
      rows: names of the rows to run; all if empty. The report shows every row that is done.
    """
    chosen = choose_rows(config, rows)
    with setup.claim(config, workdir) as folder:
        config = with_model(config, folder)
        left = [row for row in chosen if not is_done(config, row, folder)]
        subject = prune_run.open_subject(row_config(config, chosen[0]))
        with tqdm(left, desc="study", unit="row", disable=not left) as bar:
            for row in bar:
                bar.set_postfix_str(row.name)
                run_row(row_config(config, row), row, subject, folder / row.name)
        done = [row for row in all_rows(config) if is_done(config, row, folder)]
        original = {**stage_to_json(subject.original), "samples": subject.original.samples}
        study_report.write(config, original, done, subject.eval_set, folder)
        logging.info("see %s", folder / "study.html")


def row_config(config: ml_collections.ConfigDict, row: Row) -> ml_collections.ConfigDict:
    """The config of one row's run."""
    config = config.copy_and_resolve_references()
    config.method, config.criterion, config.seed = row.method, config[f"{row.method}_criterion"], row.seed
    if row.amount is not None:
        config.amount = row.amount
    return config


def run_row(config: ml_collections.ConfigDict, row: Row, subject: prune_run.Subject, folder: pathlib.Path) -> None:
    """Runs one row, from where it was stopped."""
    with setup.claim(config, folder):
        if row.amount is not None:
            prune_run.prune_and_retrain(config, subject, folder)
            return
        split = setup.open_split(config, config.sensitivity_split, subject.model.names)
        evaluator = setup.make_evaluator(config, subject.model.architecture, split)
        sensitivity.measure_sensitivity(config, subject.model, evaluator, folder / row.result)


def is_done(config: ml_collections.ConfigDict, row: Row, folder: pathlib.Path) -> bool:
    """Whether the row's result is there and whole; ValueError when it is of other settings."""
    path = folder / row.name / row.result
    if not path.exists():
        return False
    setup.check_same_run(row_config(config, row), path.parent)
    result = json.loads(path.read_text())
    if row.amount is None:
        return sensitivity.is_whole(row_config(config, row), result)
    # More steps than it has: it goes on. Its config.json then tells the new number before that is reached.
    old = result["config"]
    return (old["steps"], old["epochs"]) == (config.steps, config.epochs)


def with_model(config: ml_collections.ConfigDict, folder: pathlib.Path) -> ml_collections.ConfigDict:
    """The config with the network to prune; where `model` is "", it is trained in `baseline/` as `baseline` tells."""
    if config.model:
        return config
    config = config.copy_and_resolve_references()
    baseline = config.copy_and_resolve_references()
    for name, value in config.baseline.items():
        baseline[name] = value
    place = folder / "baseline"
    if (place / "evaluation.json").exists():
        setup.check_same_run(baseline, place)
    else:
        with setup.claim(baseline, place):
            train_and_measure(baseline, place)
    config.model = str(place / "model.weights")
    return config
