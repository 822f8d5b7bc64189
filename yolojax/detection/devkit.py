"""Detections as the devkit's text files: one per class, `image score xmin ymin xmax ymax` on each line."""

import array
import math
import pathlib
import re
from collections.abc import Iterator, Sequence

import numpy as np

from yolojax.detection.records import Detections
from yolojax.files import Path, replacing

STANDARD_NAME = re.compile(r"comp\d+_det_[^_]+_(.+)")
MAX_BYTES = 1 << 28  # of one class
MAX_LINE = 1000  # characters


def classes_with_files(folder: Path) -> tuple[str, ...]:
    """The classes that have a file `*_CLASS.txt` in the folder, sorted. Raises ValueError when there is none.

    An underscore in a class is understood only after the devkit's own `compN_det_SPLIT_`.
    """
    return tuple(sorted(_files(folder, ())))


def read_detections(folder: Path, names: Sequence[str], image_ids: Sequence[str]) -> list[Detections]:
    """The detections of each image, from the files `*_CLASS.txt` of the classes `names`.

    Raises ValueError: a class without a file, a malformed line (file and line), an image that is not in `image_ids`.
    """
    files = _files(folder, names)
    missing = [name for name in names if name not in files]
    if missing:
        raise ValueError(f"{folder}: no file *_CLASS.txt for {', '.join(missing)}; give only names that have one")
    place = {image_id: i for i, image_id in enumerate(image_ids)}
    rows = [array.array("d") for _ in image_ids]
    for label, name in enumerate(names):
        for line, image_id, score, box in _lines(files[name]):
            if image_id not in place:
                raise ValueError(f"{files[name]}:{line}: image {image_id[:40]!r} is not in the split")
            rows[place[image_id]].extend((*box, score, label))
    return [_to_detections(image) for image in rows]


def write_detections(
    folder: Path, names: Sequence[str], image_ids: Sequence[str], detections: Sequence[Detections]
) -> None:
    """Writes `comp4_det_test_CLASS.txt` for each class, also for one without detections.

    Raises ValueError when `detections` has another length than `image_ids`.
    """
    if len(detections) != len(image_ids):
        raise ValueError(f"detections of {len(detections)} images for {len(image_ids)} ids")
    for name in names:
        if "/" in name or "\\" in name or not name.isprintable():
            raise ValueError(f"{name!r}: a class name that cannot be part of a file's name; rename the class")
    pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
    for label, name in enumerate(names):
        with (
            replacing(pathlib.Path(folder) / f"comp4_det_test_{name}.txt") as beside,
            open(beside, "w", encoding="utf-8") as file,
        ):
            for image_id, found in zip(image_ids, detections, strict=True):
                for i in np.flatnonzero(found.labels == label):
                    box = " ".join(f"{value:.6f}" for value in found.boxes[i])
                    file.write(f"{image_id} {found.scores[i]:.9f} {box}\n")


def _files(folder: Path, names: Sequence[str]) -> dict[str, pathlib.Path]:
    """{class: its file}; `names` are the classes to expect."""
    files: dict[str, pathlib.Path] = {}
    for path in sorted(pathlib.Path(folder).glob("*_*.txt")):
        name = _class_of(path.stem, names)
        if name in files:
            raise ValueError(f"{folder}: {files[name].name} and {path.name} are both of class {name}")
        files[name] = path
    if not files:
        raise ValueError(f"{folder}: no devkit files *_CLASS.txt in it")
    return files


def _class_of(stem: str, names: Sequence[str]) -> str:
    """A file's class: after the devkit's prefix, else the longest of `names` at its end, or its last word."""
    if standard := STANDARD_NAME.fullmatch(stem):
        return standard[1]
    return max((name for name in names if stem.endswith(f"_{name}")), key=len, default=stem.rsplit("_", 1)[1])


def _lines(path: pathlib.Path) -> Iterator[tuple[int, str, float, tuple[float, float, float, float]]]:
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"{path}: more than {MAX_BYTES} bytes, expected the detections of one class")
    with open(path, encoding="utf-8", errors="replace") as file:  # stray bytes then fail as a bad line
        for line, text in enumerate(iter(lambda: file.readline(MAX_LINE), ""), start=1):
            fields = text.split() if len(text) < MAX_LINE else []
            if len(fields) != 6:
                raise ValueError(f"{path}:{line}: {len(fields)} fields, expected 6: image score xmin ymin xmax ymax")
            score, xmin, ymin, xmax, ymax = (_number(field, f"{path}:{line}") for field in fields[1:])
            yield line, fields[0], score, (xmin, ymin, xmax, ymax)


def _number(field: str, where: str) -> float:
    try:
        value = float(field)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{where}: {field[:40]!r} is not a finite number")
    return value


def _to_detections(rows: "array.array[float]") -> Detections:
    table = np.array(rows, np.float64).reshape(-1, 6)  # box, score, label
    return Detections(table[:, :4], table[:, 4], table[:, 5].astype(np.int32))
