"""Folders of pictures without labels, each read from its own file when it is asked for."""

import dataclasses
import pathlib
from collections.abc import Sequence

import numpy as np

from yolojax.data import folders
from yolojax.data.annotations import Counts
from yolojax.data.images import MAX_IMAGE_BYTES, is_whole
from yolojax.data.listing import read_if_there
from yolojax.data.records import Record, RecordObjects
from yolojax.files import Path, read_bytes

SAME_IN_EVERY_SPLIT = "the same in every split"  # in a description, where there are few pictures


@dataclasses.dataclass(frozen=True)
class Pictures:
    """Records without objects; `names` are the files' paths below the folder `root`."""

    root: pathlib.Path
    names: Sequence[str]

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Record:
        name = self.names[index]
        return {
            "image": read_bytes(self.root / name, MAX_IMAGE_BYTES, "a JPEG or PNG image"),
            "image/filename": name.encode("utf-8", "replace"),
            "objects": _no_objects(),
            "labels": np.zeros(0, np.int64),
            "labels_no_difficult": np.zeros(0, np.int64),
        }


def read_folder(folder: str, split: str) -> tuple[Pictures, str]:
    """The pictures of a split, in the order of their paths, and what else a description says of them.

    Every fifth picture is `test` and every fifth `validation`, `train` is the rest, `trainval` all but `test`; of fewer
    than 25 pictures each split has all. Raises ValueError for a folder that is missing, or has no picture that can be
    read; one that ends too early, or is none, is skipped and counted in the log.
    """
    root, names = pathlib.Path(folder).expanduser(), list_pictures(folder)
    few = len(names) < folders.FEW
    names = folders.fifths(names)[split]
    counts = Counts()
    pictures = Pictures(root, [name for name in names if _is_usable(root / name, counts)])
    if not pictures.names:
        raise ValueError(f"{folder} ({split}): no usable image ({counts})")
    counts.log(f"images:{folder} {split}")
    return pictures, SAME_IN_EVERY_SPLIT if few else ""


def list_pictures(folder: Path) -> list[str]:
    """The paths of all pictures below a folder, relative to it and sorted. Raises ValueError when there are none."""
    root = pathlib.Path(folder).expanduser()
    if not root.is_dir():
        raise ValueError(f"{folder}: no such folder, expected a folder of pictures")
    found = folders.list_pictures(root)
    if not found:
        suffixes = ", ".join(folders.SUFFIXES)
        raise ValueError(f"{folder}: no picture in it or in the folders below it, expected {suffixes} files")
    return [path.relative_to(root).as_posix() for path in found]


def _is_usable(path: pathlib.Path, counts: Counts) -> bool:
    data = read_if_there(path, MAX_IMAGE_BYTES)
    if data is not None and is_whole(data):
        return True
    counts.skip_image(path.name)
    return False


def _no_objects() -> RecordObjects:
    return {
        "bbox": np.zeros((0, 4), np.float32),
        "label": np.zeros(0, np.int64),
        "pose": np.zeros(0, np.int64),
        "is_truncated": np.zeros(0, bool),
        "is_difficult": np.zeros(0, bool),
    }
