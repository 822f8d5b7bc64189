"""Reads one of COCO's JSON files, of which every value that is used is checked."""

import json
import math
import pathlib
from typing import Any, NamedTuple

from yolojax.data.annotations import AnnotationError, Found
from yolojax.files import read_text

MAX_BYTES = 1 << 30  # COCO's own train2017 has 449 million
EXPECTED = "COCO's images, annotations and categories"


class CocoFile(NamedTuple):
    """What a file holds: the categories in the order of their ids, and {file name of an image: its objects}."""

    names: tuple[str, ...]
    images: dict[str, list[Found]]


def read_coco(path: pathlib.Path) -> CocoFile:
    """The images and boxes in a COCO file; an image without any has an empty list.

    Boxes become 1-based pixels. Raises AnnotationError, with the file and the entry, for what is not COCO's: values of
    another kind, ids that name nothing, a category twice, an image outside the folder.
    """
    try:
        content = json.loads(read_text(path, MAX_BYTES, EXPECTED, AnnotationError))
    except RecursionError:
        raise AnnotationError(f"{path}: nested too deeply, expected {EXPECTED}") from None
    except json.JSONDecodeError as error:
        raise AnnotationError(f"{path}: not JSON ({error}), expected {EXPECTED}") from None
    categories = {}
    for where, entry in _entries(content, "categories", path):
        categories[_id(entry, "id", where)] = _text(entry, "name", where)
    names = tuple(categories[key] for key in sorted(categories, key=lambda key: (isinstance(key, str), key)))
    if len(set(names)) < len(names):
        raise AnnotationError(f"{path}: a category comes twice, expected each name once")
    files = {_id(entry, "id", where): _file_name(entry, where) for where, entry in _entries(content, "images", path)}
    images: dict[str, list[Found]] = {name: [] for name in files.values()}
    for where, entry in _entries(content, "annotations", path):
        image, category = _id(entry, "image_id", where), _id(entry, "category_id", where)
        if image not in files:
            raise AnnotationError(f"{where}: image_id {str(image)[:40]} is not among the images")
        if category not in categories:
            raise AnnotationError(f"{where}: category_id {str(category)[:40]} is not among the categories")
        crowd = entry.get("iscrowd") in (1, True)
        images[files[image]].append(Found(categories[category], _box(entry, where), difficult=crowd))
    return CocoFile(names, images)


def _entries(content: object, key: str, path: pathlib.Path) -> list[tuple[str, dict[str, Any]]]:
    entries = content.get(key) if isinstance(content, dict) else None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise AnnotationError(f"{path}: no list of {key}, expected {EXPECTED}")
    return [(f"{path}: {key}[{position}]", entry) for position, entry in enumerate(entries)]


def _id(entry: dict[str, Any], key: str, where: str) -> int | str:
    value = entry.get(key)
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise AnnotationError(f"{where}: {key} is {str(value)[:40]!r}, expected a number or a text")
    return value


def _text(entry: dict[str, Any], key: str, where: str) -> str:
    value = entry.get(key)
    if not isinstance(value, str) or not value:
        raise AnnotationError(f"{where}: {key} is {str(value)[:40]!r}, expected a text")
    return value


def _file_name(entry: dict[str, Any], where: str) -> str:
    name = _text(entry, "file_name", where)
    parts = pathlib.PurePosixPath(name).parts
    if name.startswith("/") or ".." in parts or "\\" in name or not name.isprintable():
        raise AnnotationError(f"{where}: file_name {name[:40]!r}, expected a path below the folder of images")
    return name


def _box(entry: dict[str, Any], where: str) -> tuple[float, float, float, float]:
    """From x, y, width, height: pixel 0 is the first there, and 1 here."""
    value = entry.get("bbox")
    sides = value if isinstance(value, list) else []
    if len(sides) != 4 or not all(_is_number(side) for side in sides):
        raise AnnotationError(f"{where}: bbox is {str(value)[:40]!r}, expected x, y, width, height")
    x, y, width, height = map(float, sides)
    return round(x + 1, 2), round(y + 1, 2), round(x + width + 1, 2), round(y + height + 1, 2)


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False
