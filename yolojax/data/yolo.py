"""Data sets in the layouts of Darknet and its descendants: pictures, and a text of labels for each.

| what says which images are in a split | |
|---|---|
| `data.yaml` (the argument itself, or in the folder) | folders, lists, or several of them |
| `train.txt`, `val.txt`, `test.txt` in the folder | a path of an image on each line |
| `images/train`, `images/val2017`, ... | all pictures below |
| `train/images` or `train`, `valid/images`, ... | all pictures below |
| nothing | every fifth picture is `test`, every fifth `validation` |

The labels of `.../images/a.jpg` are `.../labels/a.txt`, else `a.txt` beside it. Classes are those of `data.yaml`, of a
`.names` file or `classes.txt`, or the caller's.
"""

import dataclasses
import pathlib
from collections.abc import Sequence

import tensorflow_datasets as tfds
from absl import logging

from yolojax import darknet
from yolojax.data import yolo_labels
from yolojax.data.annotations import Found
from yolojax.data.folders import SUFFIXES, fifths, image_ids, list_pictures, log_fifths, split_folders
from yolojax.data.images import MAX_IMAGE_BYTES
from yolojax.data.listing import Listing, listing_builder, read_if_there
from yolojax.data.splits import parts_of, split_of
from yolojax.data.yolo_yaml import read_data_yaml
from yolojax.files import read_text

MAX_LIST_BYTES = 1 << 26
IMAGE_FOLDERS = ("images", "JPEGImages")
EXPECTED = "a folder with images/ and labels/, or a data.yaml"


@dataclasses.dataclass(frozen=True)
class YoloSet:
    """The images of each split, the class names by their index (() where nothing gives them), and what they come from.

    `divided` has the number of images where nothing says which of them are in which split, else 0.
    """

    root: pathlib.Path
    splits: dict[str, list[pathlib.Path]]
    names: tuple[str, ...]
    files: tuple[pathlib.Path, ...] = ()
    divided: int = 0


def builders(
    argument: str, split: str, names: Sequence[str] | None, data_dir: str | None
) -> list[tfds.core.DatasetBuilder]:
    """The builder of a split. `names` is the classes in their order; None takes the data's own.

    Raises ValueError for data in another layout, without class names, or without any label.
    """
    found = find_set(argument)
    known = found.names or tuple(names or ())
    if not known:
        raise ValueError(f"{argument}: no class names, expected names in a data.yaml, a .names file or classes.txt")
    parts = parts_of(split, found.splits)
    if found.divided:
        log_fifths(found.divided, f"yolo:{argument}")
    return [listing_builder("yolo", _list(found, part, tuple(names or known), known), data_dir) for part in parts]


def find_splits(argument: str) -> tuple[str, ...]:
    """The splits that have an image. Raises ValueError for data in another layout."""
    return tuple(split for split, images in find_set(argument).splits.items() if images)


def find_set(argument: str) -> YoloSet:
    """What is in a folder, or behind a data.yaml. Raises ValueError for another layout."""
    path = pathlib.Path(argument).expanduser().resolve()
    if path.is_file():
        return _from_yaml(path, argument)
    if not path.is_dir():
        raise ValueError(f"{argument}: no such file or folder, expected {EXPECTED}")
    described = sorted([*path.glob("*.yaml"), *path.glob("*.yml")])
    if len(described) > 1:
        described = [file for file in described if file.stem == "data"]
    if described:
        return _from_yaml(described[0], argument)
    names, files = _read_names(path)
    if splits := _from_lists(path) or _from_folders(path):
        return YoloSet(path, splits, names, files)
    pictures = list_pictures(path / "images") or list_pictures(path)
    if not pictures:
        raise ValueError(f"{argument}: no pictures in it, expected {EXPECTED}")
    return YoloSet(path, fifths(pictures), names, files, divided=len(pictures))


def label_file(image: pathlib.Path) -> pathlib.Path:
    """Where the labels of an image are; where they are expected if there are none."""
    candidates = [image.with_suffix(".txt")]
    for position in reversed(range(len(image.parts) - 1)):
        if image.parts[position] in IMAGE_FOLDERS:
            moved = pathlib.Path(*image.parts[:position], "labels", *image.parts[position + 1 :])
            candidates.insert(0, moved.with_suffix(".txt"))
            break
    return next((path for path in candidates if path.is_file()), candidates[0])


def _list(found: YoloSet, split: str, names: tuple[str, ...], known: tuple[str, ...]) -> Listing:
    """The images of one split. An image without a file of labels has no objects, as in Darknet, which the log says."""
    images = image_ids(found.splits[split], found.root)
    labels = {image_id: label_file(path) for image_id, path in images.items()}
    bare = [path for path in labels.values() if not path.is_file()]
    if bare and len(bare) == len(labels):
        raise ValueError(
            f"{found.root} ({split}): no image has a file of labels; {bare[0]} is the first that is missing"
        )
    if bare:
        logging.warning("%s (%s): %d images without a file of labels have no objects", found.root, split, len(bare))

    def read_objects(image_id: str, width: int, height: int) -> list[Found]:
        path = labels[image_id]
        data = read_if_there(path, yolo_labels.MAX_BYTES)
        return [] if data is None else yolo_labels.parse_labels(data, known, width, height, str(path))

    files = [*found.files, *labels.values(), *images.values()]
    return Listing(
        source=str(found.root),
        split=split,
        names=names,
        image_ids=list(images),
        read_image=lambda image_id: read_if_there(images[image_id], MAX_IMAGE_BYTES),
        read_objects=read_objects,
        files=files,
    )


def _from_yaml(path: pathlib.Path, argument: str) -> YoloSet:
    described = read_data_yaml(path)
    splits = {
        split: [image for place in places for image in _images_at(place, path)]
        for split, places in described.splits.items()
    }
    if not any(splits.values()):
        raise ValueError(f"{argument}: {path.name} names no image, expected folders or lists as train, val or test")
    return YoloSet(path.parent, splits, described.names, (path,))


def _images_at(place: pathlib.Path, named_in: pathlib.Path) -> list[pathlib.Path]:
    if place.is_dir():
        return list_pictures(place)
    if place.suffix == ".txt" and place.is_file():
        return _read_list(place)
    raise ValueError(f"{named_in}: {place} is no folder of images and no list of them")


def _from_lists(root: pathlib.Path) -> dict[str, list[pathlib.Path]]:
    lists = {split: path for path in sorted(root.glob("*.txt")) if (split := split_of(path.stem))}
    return {split: _read_list(path) for split, path in lists.items()}


def _read_list(path: pathlib.Path) -> list[pathlib.Path]:
    """The images that a list names, one path on each line; a relative one starts where the list is."""
    found = []
    text = read_text(path, MAX_LIST_BYTES, "one image path per line")
    for line, content in enumerate(text.splitlines(), start=1):
        entry = content.strip()
        if not entry:
            continue
        if not entry.lower().endswith(SUFFIXES) or not entry.isprintable():
            raise ValueError(f"{path}:{line}: {entry[:40]!r}, expected the path of a {' or '.join(SUFFIXES)} file")
        found.append(path.parent / entry)
    return found


def _from_folders(root: pathlib.Path) -> dict[str, list[pathlib.Path]]:
    folders = split_folders(root / "images") or split_folders(root)
    found = {split: list_pictures(folder / "images") or list_pictures(folder) for split, folder in folders.items()}
    return {split: images for split, images in found.items() if images}


def _read_names(root: pathlib.Path) -> tuple[tuple[str, ...], tuple[pathlib.Path, ...]]:
    """The class names in a folder, and the file that they are in; nothing where there is none."""
    files = sorted(root.glob("*.names"))
    if len(files) > 1:
        raise ValueError(f"{root}: {files[0].name} and {files[1].name}, expected one file of class names")
    files += [path for path in (root / "classes.txt", root / "labels" / "classes.txt") if path.is_file()]
    return (darknet.read_names(files[0]), (files[0],)) if files else ((), ())
