"""The study: every row from one unpruned network, each a pruning run in a folder of its own."""

import itertools
import json
import pathlib
from collections.abc import Sequence

import jax

from yolojax.files import Json, Path
from yolojax.network import Model
from yolojax.progress import progress
from yolojax.reporting import stages
from yolojax.runs import labels, setup
from yolojax.runs.prune import Subject, check, open_subject, prune_and_retrain
from yolojax.runs.rounds import score
from yolojax.runs.train import train_and_measure
from yolojax.runs.workdir import PRUNING, check_same_run, claim
from yolojax.settings import Settings
from yolojax.studies import report, sensitivity, unseen
from yolojax.studies.rows import BASELINE, Row, all_rows, choose_rows


def run_study(settings: Settings, workdir: Path, *, rows: Sequence[str] = ()) -> None:
    """Runs the rows that are not done yet and writes study.json, study.md, study.html and their pictures.

    Args:
      settings: the section `study` declares the rows; a row's run has the other sections, changed as the row says.
      workdir: gets a folder per row, as `run_pruning` leaves it, and `baseline/` where the network is trained here.
      rows: names of the rows to run; all if empty. The report shows every row that is done.
    """
    labels.require_labels(settings.data.source, "a study")
    settings = unseen.with_validation(settings)
    chosen = choose_rows(settings.study, rows)
    settings = setup.with_size(settings, setup.open_architecture(settings))
    check_rows(settings, chosen)
    with claim(settings, workdir) as folder:
        settings = with_start(settings, folder)
        rows_done = [row for row in all_rows(settings.study) if is_done(settings, row, folder)]
        left = [row for row in chosen if row not in rows_done]
        model = open_checked(settings, left or chosen[:1])
        subject = open_subject(settings, model)
        with progress(left, what="study", unit="row", hidden=not left) as bar:
            for row in bar:
                bar.set_postfix_str(row.name)
                run_row(row.settings(settings), row, subject, folder / row.name)
        if jax.process_index() == 0:
            done = [row for row in all_rows(settings.study) if row in rows_done or row in chosen]
            original = {**stages.to_json(subject.original), "samples": subject.original.samples}
            table = report.write(settings, original, done, subject.eval_set, folder)
            print("\n".join(["", *table, "", f"see {folder / 'study.html'}"]))


def check_rows(settings: Settings, rows: Sequence[Row]) -> None:
    """Raises ValueError for rows that cannot be run, whatever the network; before any work."""
    if settings.prune.budget and any(row.amount for row in rows):
        raise ValueError(
            "prune.budget and the amounts of study.filter_amounts and weight_amounts both say how much goes; "
            "leave one out"
        )
    for row in rows:
        mine = row.settings(settings)
        if row.amount is not None and mine.train.nothing:
            raise ValueError(f"row {row.kind}: train.steps and train.epochs are both 0; give one, or leave the row out")
        if row.is_sensitivity:
            unseen.check(settings)
            _check_ascending(settings.study.sensitivity_amounts)


def _check_ascending(amounts: Sequence[float]) -> None:
    if any(a >= b for a, b in itertools.pairwise((0.0, *amounts, 1.0))):
        raise ValueError(f"study.sensitivity_amounts {amounts}, expected shares that ascend, above 0 and below 1")


def open_checked(settings: Settings, rows: Sequence[Row]) -> Model:
    """The network to prune; what the rows ask for is tried on it, so that a mistake shows before the long work."""
    model = setup.open_start(settings)
    for row in {row.kind: row for row in rows}.values():
        mine = row.settings(settings)
        try:
            check(mine, model)
        except (ValueError, OSError) as error:
            raise ValueError(f"row {row.kind}: {error}") from None
    return model


def run_row(settings: Settings, row: Row, subject: Subject, folder: pathlib.Path) -> None:
    """Runs one row, or resumes it."""
    with claim(settings, folder, sections=PRUNING):
        if not row.is_sensitivity:
            prune_and_retrain(settings, subject, folder)
            return
        split = setup.open_split(settings.data, settings.study.sensitivity_split, subject.model.names)
        evaluator = setup.make_evaluator(settings, subject.model.architecture, split)
        scores = score(settings, subject.model, subject.train_set)
        sensitivity.measure_sensitivity(settings, subject, scores, evaluator, folder / row.result)


def is_done(settings: Settings, row: Row, folder: pathlib.Path) -> bool:
    """Whether the row's result is there and complete; ValueError when other settings made it."""
    path, mine = folder / row.name / row.result, row.settings(settings)
    if not path.exists():
        return False
    check_same_run(mine, path.parent, sections=PRUNING)
    result = json.loads(path.read_text())
    if row.is_sensitivity:
        return sensitivity.is_whole(settings.study, result)
    return _has_its_steps(mine, result)


def _has_its_steps(settings: Settings, result: Json) -> bool:
    """Whether a run's result is of as many steps as the settings ask for; with fewer it goes on."""
    old = result["config"]["train"]
    return (old["steps"], old["epochs"]) == (settings.train.steps, settings.train.epochs)


def _is_trained(settings: Settings, place: pathlib.Path) -> bool:
    """Whether the network of a training run is there and complete; ValueError when other settings made it."""
    path = place / "evaluation.json"
    if not path.exists():
        return False
    check_same_run(settings, place)
    result = json.loads(path.read_text())
    return "config" not in result or _has_its_steps(settings, result)  # earlier versions did not write it down


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
    baseline.train.check()
    place = folder / BASELINE
    if not _is_trained(baseline, place):
        with claim(baseline, place):
            train_and_measure(baseline, None, place)
    return settings.replace(model={"start": str(place / "model.weights")})
