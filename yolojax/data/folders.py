"""Folders of pictures: what is in them, and how they are divided where nothing says so."""

import pathlib
from collections.abc import Sequence
from typing import TypeVar

from absl import logging

from yolojax.data.splits import split_of

SUFFIXES = (".jpg", ".jpeg", ".png")  # in capitals too
# Of each five pictures in order, those of a split: what is measured on is not what was trained on or calibrated on.
FIFTHS = {"train": (0, 1, 2), "validation": (3,), "trainval": (0, 1, 2, 3), "test": (4,)}
FEW = 25  # with fewer, a fifth is too small to measure on
T = TypeVar("T")


def list_pictures(folder: pathlib.Path) -> list[pathlib.Path]:
    """All pictures in a folder and below it, sorted by their paths; none where there is no such folder."""
    found = [path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file()]
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix())


def split_folders(folder: pathlib.Path) -> dict[str, pathlib.Path]:
    """The folders in a folder that are named after splits. Raises ValueError where two are of one split."""
    found: dict[str, pathlib.Path] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        split = split_of(path.name) if path.is_dir() else None
        if split in found:
            raise ValueError(f"{folder}: {found[split].name} and {path.name} are both the {split} split; remove one")
        if split:
            found[split] = path
    return found


def fifths(items: Sequence[T]) -> dict[str, list[T]]:
    """The splits of items without any: every fifth is `test`, every fifth `validation`, and `train` has the rest.

    `trainval` is all but `test`. Of fewer than `FEW` items each split has all.
    """
    if len(items) < FEW:
        return {split: list(items) for split in FIFTHS}
    return {
        split: [item for position, item in enumerate(items) if position % 5 in fifth] for split, fifth in FIFTHS.items()
    }


def log_fifths(count: int, source: str) -> None:
    """Says that `fifths` has divided the `count` images of a source."""
    how = "every split has all" if count < FEW else "every fifth is test, every fifth validation"
    logging.warning("%s: nothing says which of its %d images are in which split: %s", source, count, how)


def image_ids(paths: Sequence[pathlib.Path], root: pathlib.Path) -> dict[str, pathlib.Path]:
    """{image id: path}: the files' names without suffix; where two are the same, with their folders below `root`.

    Spaces become underscores, as lists and detection files have one word for an image. A path that comes twice counts
    once. Raises ValueError for two images that still have one id.
    """
    paths = list(dict.fromkeys(paths))
    stems = [path.stem for path in paths]
    if len(set(stems)) < len(stems):
        stems = [_below(path.with_suffix(""), root) for path in paths]
    found: dict[str, pathlib.Path] = {}
    for stem, path in zip(stems, paths, strict=True):
        image_id = "_".join(stem.split())
        if image_id in found:
            raise ValueError(f"{found[image_id]} and {path} are both image {image_id}; rename one")
        found[image_id] = path
    return found


def _below(path: pathlib.Path, root: pathlib.Path) -> str:
    parts = path.relative_to(root).parts if path.is_relative_to(root) else path.parts
    return "__".join(part.strip("/\\") for part in parts if part.strip("/\\"))
