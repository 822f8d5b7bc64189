"""Finished runs as numbers to compare: read from their workdirs, whatever command left them."""

import dataclasses
import json
import pathlib
import statistics
from collections.abc import Iterable, Iterator, Sequence

from absl import logging

from yolojax import export, pruning, training
from yolojax.files import Json, Path, read_text

MAX_BYTES = 1 << 26
EXPECTED = "the workdir of yolojax.prune, yolojax.train or yolojax.study, or a folder of them"
WRITTEN = "a file that this version of yolojax wrote"

AFTER_TRAINING = ("retrained", "clustered")  # the stages of a pruning run


@dataclasses.dataclass(frozen=True)
class Entry:
    """One network of a run, or the mean of several runs that differ in their seed.

    Attributes:
      name: the run's.
      stage: `trained` for a training run, else as in the run's report.
      data: what it was measured on.
      protocol: by which protocol.
      map_11point: mAP by the 11-point rule; `map_area` by the area.
      macs: for one image of the protocol's size.
      parameters: learned ones; `nonzero` counts those that are not 0.
      weights_bytes: of the dense .weights file.
      compressed_bytes: of the lossless compressed file; None where nobody measured it.
      milliseconds: of one image; None where nobody measured it. `where` is the runtime and the machine.
      steps: of the training that led here, 0 for none; None where that is not known.
      seconds: those steps' own, without evaluations in between.
      config: the run's settings as JSON values, by section.
      unpruned: what its shares are of; None for nothing.
      spread: the standard deviation of `map_11point` over several seeds; None for one.
    """

    name: str
    stage: str
    data: str
    protocol: str
    map_11point: float
    map_area: float
    macs: int
    parameters: int
    nonzero: int
    weights_bytes: int
    compressed_bytes: int | None
    milliseconds: float | None = None
    where: str = ""
    steps: int | None = None
    seconds: float | None = None
    config: Json = dataclasses.field(default_factory=dict)
    unpruned: "Entry | None" = None
    spread: float | None = None

    @property
    def quantity(self) -> str:
        """What its mAP is called: without labels it is agreement with the unpruned network."""
        return "agreement" if training.WITHOUT_LABELS in self.protocol else "mAP"

    @property
    def map_share(self) -> float | None:
        """The share of the unpruned network's mAP (11-point)."""
        return self.map_11point / self.unpruned.map_11point if self.unpruned and self.unpruned.map_11point else None

    @property
    def macs_share(self) -> float | None:
        """The share of the unpruned network's MACs."""
        return self.macs / self.unpruned.macs if self.unpruned else None

    @property
    def pruned(self) -> bool:
        """Whether something was, or could have been, dropped."""
        return self.stage not in ("trained", "original")

    @property
    def retrained(self) -> bool:
        """Whether training settled its numbers."""
        return self.steps != 0 and self.stage in ("trained", *AFTER_TRAINING)


def read_runs(paths: Sequence[Path], *, stages: bool = False) -> tuple[Entry, ...]:
    """The last network of each finished run, in the order of the paths.

    Args:
      paths: workdirs; a folder of runs, such as a study's, stands for those in it.
      stages: all networks that a pruning run measured after the original.

    Runs that are not finished, and plain files, are skipped with a warning. Raises ValueError for another folder, and
    when nothing is left.
    """
    places = [pathlib.Path(path) for path in paths]
    if files := [place for place in places if place.is_file()]:
        logging.warning("skipped %s: not a folder", files[0] if len(files) == 1 else f"{len(files)} files")
    found_at = {folder.resolve(): folder for place in places if not place.is_file() for folder in _runs_in(place)}
    folders = list(found_at.values())
    finished = [folder for folder in folders if not _is_skipped(folder)]
    if not finished:
        raise ValueError(f"no finished run in {', '.join(map(str, places)) or 'no folder'}, expected {EXPECTED}")
    names = _short_names(finished)
    found = [read_run(folder, name=names[folder]) for folder in finished]
    return tuple(entry for run in found for entry in (run if stages else run[-1:]))


def read_run(folder: Path, *, name: str = "") -> tuple[Entry, ...]:
    """The networks of one finished run but the unpruned one, which is the `unpruned` of each; the last is its result.

    Raises ValueError for a folder without a finished run, and for a file in it that yolojax did not write.
    """
    folder = pathlib.Path(folder)
    if not (path := _result(folder)):
        raise ValueError(f"{folder} holds no finished run, expected {EXPECTED}")
    try:
        content = _read_json(path)
        name = name or folder.name
        return _of_pruning(content, folder, name) if path.name == "report.json" else _of_training(content, folder, name)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: {type(error).__name__} {error}, expected {WRITTEN}") from error


def average(entries: Sequence[Entry], *, name: str) -> Entry:
    """The mean of the same row over several seeds, with the spread of its mAP."""
    first = entries[0]

    def whole(field: str) -> int:
        return round(statistics.fmean(getattr(entry, field) for entry in entries))

    def known(field: str) -> float | None:
        values = [getattr(entry, field) for entry in entries]
        return None if None in values else statistics.fmean(values)

    steps, size = known("steps"), known("compressed_bytes")
    return dataclasses.replace(
        first,
        name=name,
        map_11point=statistics.fmean(entry.map_11point for entry in entries),
        map_area=statistics.fmean(entry.map_area for entry in entries),
        macs=whole("macs"),
        parameters=whole("parameters"),
        nonzero=whole("nonzero"),
        weights_bytes=whole("weights_bytes"),
        compressed_bytes=None if size is None else round(size),
        steps=None if steps is None else round(steps),
        seconds=known("seconds"),
        milliseconds=known("milliseconds"),
        spread=statistics.stdev(entry.map_11point for entry in entries) if len(entries) > 1 else None,
    )


def _runs_in(place: pathlib.Path) -> Iterator[pathlib.Path]:
    """The runs that a path stands for: itself, or those in the folder."""
    if not place.exists():
        raise ValueError(f"{place}: no such folder, expected {EXPECTED}")
    inside = [] if _result(place) else [folder for folder in sorted(place.iterdir()) if _is_run(folder)]
    if not inside and not _is_run(place) and not (place / "compare.json").exists():
        raise ValueError(f"{place} holds no run, expected {EXPECTED}")
    yield from inside or [place]


def _is_run(folder: pathlib.Path) -> bool:
    return (folder / "config.json").exists() or _result(folder) is not None


def _result(folder: pathlib.Path) -> pathlib.Path | None:
    """The file that is written last: a run with it is finished."""
    found = (folder / name for name in ("report.json", "evaluation.json"))
    return next((path for path in found if path.exists()), None)


def _is_skipped(folder: pathlib.Path) -> bool:
    """Whether there is nothing to compare, with a warning that says why."""
    result = _result(folder)
    if not result:
        if (folder / "compare.json").exists():
            why = "a comparison"
        elif (folder / "sensitivity.json").exists():
            why = "a sensitivity analysis"
        else:
            why = "not finished"
        logging.warning("skipped %s: %s", folder, why)
        return True
    if _went_on(folder, _read_json(result)):
        logging.warning("skipped %s: not finished, it went on after its report", folder)
        return True
    return False


def _went_on(folder: pathlib.Path, result: Json) -> bool:
    """Whether the run was started again, for more steps than its result is of."""
    steps, lines = result.get("retrain_steps", result.get("steps")), _losses(folder)
    return steps is not None and bool(lines) and lines[-1]["step"] > steps


def evaluation_set(folder: pathlib.Path, evaluation: Json) -> str:
    """What a training run was measured on; earlier versions did not write it down."""
    if "eval_set" in evaluation:
        return str(evaluation["eval_set"])
    about = _read_json(folder / "config.json")["data"]
    return f"{about['source']} {about['eval_split']} ({evaluation['images']} images)"


def _short_names(folders: Sequence[pathlib.Path]) -> dict[pathlib.Path, str]:
    """{folder: the fewest of its last parts that tell it from the others}."""
    names = {}
    for folder in folders:
        parts = folder.resolve().parts
        others = [other.resolve().parts for other in folders if other != folder]
        count = next(n for n in range(1, len(parts) + 1) if all(other[-n:] != parts[-n:] for other in others))
        names[folder] = "/".join(parts[-count:])
    return names


def _of_pruning(report: Json, folder: pathlib.Path, name: str) -> tuple[Entry, ...]:
    config = report["config"]
    if criterion := report.get("criterion"):
        config = {**config, "prune": {**config["prune"], "criterion": criterion}}
    steps, seconds = _training(folder, config, report.get("retrain_seconds"))
    original, found = None, []
    for stage, numbers in report["stages"].items():
        trained = stage in AFTER_TRAINING
        entry = Entry(
            name=name,
            stage=stage,
            data=report["eval_set"],
            protocol=numbers["evaluation"]["protocol_text"],
            map_11point=numbers["evaluation"]["map_11point"],
            map_area=numbers["evaluation"]["map_area"],
            **_speed(numbers.get("speed")),
            **{key: numbers[key] for key in ("macs", "parameters", "nonzero", "weights_bytes", "compressed_bytes")},
            steps=steps if trained else 0,
            seconds=seconds if trained else 0.0,
            config=config,
            unpruned=original,
        )
        if original is None:
            original = dataclasses.replace(entry, name="unpruned", steps=None, seconds=None)
        else:
            found.append(entry)
    return tuple(found)


def _of_training(evaluation: Json, folder: pathlib.Path, name: str) -> tuple[Entry, ...]:
    """What evaluation.json leaves out is counted in the network itself."""
    config = evaluation.get("config") or _read_json(folder / "config.json")
    model = export.open_model(folder / "model.weights")
    architecture, size = model.architecture, evaluation["protocol"]["size"]
    steps, seconds = _training(folder, config, None)
    entry = Entry(
        name=name,
        stage="trained",
        data=evaluation_set(folder, evaluation),
        protocol=evaluation["protocol_text"],
        map_11point=evaluation["map_11point"],
        map_area=evaluation["map_area"],
        macs=pruning.macs(architecture, size, size),
        parameters=pruning.count_parameters(model.params),
        nonzero=pruning.count_nonzeros(model.params),
        weights_bytes=pruning.dense_bytes(architecture),
        compressed_bytes=export.compressed_bytes(architecture, model.variables) if export.can_compress() else None,
        steps=steps,
        seconds=seconds,
        config=config,
    )
    return (entry,)


def _speed(speed: Json | None) -> Json:
    """A stage's milliseconds and where they were measured; nothing where nobody did."""
    return {"milliseconds": 1e3 * speed["timing"]["median"], "where": speed["where"]} if speed else {}


def _training(folder: pathlib.Path, config: Json, reported: float | None) -> tuple[int | None, float | None]:
    """Steps and seconds of a training: from its log, which also knows of runs that were resumed, else as reported."""
    train = config["train"]
    if not (train["steps"] or train["epochs"]):
        return 0, 0.0
    if not (lines := _losses(folder)):
        return train["steps"] or None, reported
    return int(lines[-1]["step"]), sum(_seconds(lines, train["batch_size"]))


def _losses(folder: pathlib.Path) -> list[dict[str, float]]:
    """The lines of a training's log, which a run without training does not have."""
    path = folder / "metrics.jsonl"
    return [line for line in training.read_metrics(path) if "loss" in line] if path.exists() else []


def _seconds(lines: Iterable[dict[str, float]], batch_size: int) -> Iterator[float]:
    before = 0.0
    for line in lines:
        yield (line["step"] - before) * batch_size / line["images_per_second"]
        before = line["step"]


def _read_json(path: pathlib.Path) -> Json:
    text = read_text(path, MAX_BYTES, WRITTEN)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not JSON ({str(error)[:80]}), expected {WRITTEN}") from None
    if not isinstance(found, dict):
        raise ValueError(f"{path}: not a JSON object, expected {WRITTEN}")
    return found
