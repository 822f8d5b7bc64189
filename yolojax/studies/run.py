"""The study: every row of both tables from one unpruned network, each a pruning run in a folder of its own."""

import json
import pathlib
from collections.abc import Sequence

import jax
from absl import logging
from tqdm import tqdm

from yolojax.files import Path
from yolojax.reporting.report import stage_to_json
from yolojax.runs import labels, setup
from yolojax.runs.prune import Subject, open_checked, open_subject, prune_and_retrain, score
from yolojax.runs.train import train_and_measure
from yolojax.runs.workdir import PRUNING, check_same_run, claim
from yolojax.settings import Settings
from yolojax.studies import report, sensitivity
from yolojax.studies.rows import Row, all_rows, choose_rows


def run_study(settings: Settings, workdir: Path, *, rows: Sequence[str] = ()) -> None:
    """Runs the rows that are not done yet and writes study.json, study.md, study.html and their pictures.

    Args:
      settings: the section `study` declares the rows, the others are of each row's run.
      workdir: gets a folder per row, as `run_pruning` leaves it, and `baseline/` where the network is trained here.
      rows: names of the rows to run; all if empty. The report shows every row that is done.
    """
    if settings.prune.budget or settings.prune.repair:
        raise ValueError("the rows of a study are amounts; leave prune.budget and prune.repair out")
    settings.train.check()
    labels.require_labels(settings.data.source, "a study")
    chosen = choose_rows(settings.study, rows)
    settings = setup.with_size(settings, setup.open_architecture(settings))
    with claim(settings, workdir) as folder:
        settings = with_start(settings, folder)
        left = [row for row in chosen if not is_done(settings, row, folder)]
        first = row_settings(settings, chosen[0])
        subject = open_subject(first, open_checked(first))
        with tqdm(left, desc="study", unit="row", disable=not left) as bar:
            for row in bar:
                bar.set_postfix_str(row.name)
                run_row(row_settings(settings, row), row, subject, folder / row.name)
        if jax.process_index() == 0:
            done = [row for row in all_rows(settings.study) if is_done(settings, row, folder)]
            original = {**stage_to_json(subject.original), "samples": subject.original.samples}
            report.write(settings, original, done, subject.eval_set, folder)
        logging.info("see %s", folder / "study.html")


def row_settings(settings: Settings, row: Row) -> Settings:
    """The settings of one row's run."""
    criterion = {"filter": settings.study.filter_criterion, "weight": settings.study.weight_criterion}[row.method]
    amount = settings.prune.amount if row.amount is None else row.amount
    return settings.replace(
        prune={"method": row.method, "criterion": criterion, "amount": amount}, train={"seed": row.seed}
    )


def run_row(settings: Settings, row: Row, subject: Subject, folder: pathlib.Path) -> None:
    """Runs one row, or resumes it."""
    with claim(settings, folder, sections=PRUNING):
        if row.amount is not None:
            prune_and_retrain(settings, subject, folder)
            return
        split = setup.open_split(settings.data, settings.study.sensitivity_split, subject.model.names)
        evaluator = setup.make_evaluator(settings, subject.model.architecture, split)
        scores = score(settings, subject.model, subject.train_set)
        sensitivity.measure_sensitivity(settings, subject.model, scores, evaluator, folder / row.result)


def is_done(settings: Settings, row: Row, folder: pathlib.Path) -> bool:
    """Whether the row's result is there and complete; ValueError when other settings made it."""
    path, mine = folder / row.name / row.result, row_settings(settings, row)
    if not path.exists():
        return False
    check_same_run(mine, path.parent, sections=PRUNING)
    result = json.loads(path.read_text())
    if row.amount is None:
        return sensitivity.is_whole(settings.study, result)
    # A row with fewer steps than the settings ask for is resumed. Its config.json has the new number from then on.
    old = result["config"]["train"]
    return (old["steps"], old["epochs"]) == (settings.train.steps, settings.train.epochs)


def with_start(settings: Settings, folder: pathlib.Path) -> Settings:
    """The settings with the network to prune; where `model.start` is "", it is trained in `baseline/`."""
    if settings.model.start:
        return settings
    study = settings.study
    baseline = settings.replace(
        train={
            "steps": study.baseline_steps or settings.train.steps,
            "learning_rate": study.baseline_learning_rate or settings.train.learning_rate,
        }
    )
    place = folder / "baseline"
    if (place / "evaluation.json").exists():
        check_same_run(baseline, place)
    else:
        with claim(baseline, place):
            train_and_measure(baseline, None, place)
    return settings.replace(model={"start": str(place / "model.weights")})
