"""Reads the data.yaml of a YOLO data set: where its splits are, and its classes."""

import os
import pathlib
from typing import NamedTuple

import yaml

from yolojax.data.splits import ALIASES, SPLITS
from yolojax.files import read_text

MAX_BYTES = 1 << 18
EXPECTED = "a data.yaml"
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # bounds the nesting, and takes no time for it


class DataYaml(NamedTuple):
    """What a data.yaml says: {split: the files and folders of its images}, and the class names by their index."""

    splits: dict[str, list[pathlib.Path]]
    names: tuple[str, ...]


def read_data_yaml(path: pathlib.Path) -> DataYaml:
    """Reads `path`, `train`, `val`, `test` and `names`, with paths as Ultralytics and Roboflow write them.

    Paths are taken from `path`, and that from the file's own folder. Raises ValueError, with the file, for anything
    that is not such a file.
    """
    text = read_text(path, MAX_BYTES, EXPECTED)
    try:
        content = yaml.load(text, Loader=LOADER)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        why = " ".join(str(error).split())[:120]
        raise ValueError(f"{path}: not YAML ({why}), expected {EXPECTED}") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path}: no fields in it, expected {EXPECTED}")
    root = path.parent
    if "path" in content:
        root = root / _text(content["path"], "path", path)
    splits: dict[str, list[pathlib.Path]] = {}
    for key in (*SPLITS, *ALIASES):
        value = content.get(key)
        if value:
            entries = value if isinstance(value, list) else [value]
            places = [_place(_text(entry, key, path), root, path.parent) for entry in entries]
            splits.setdefault(ALIASES.get(key, key), []).extend(places)
    return DataYaml(splits, _names(content, path))


def _place(entry: str, root: pathlib.Path, beside: pathlib.Path) -> pathlib.Path:
    """The file or folder that is meant; what Roboflow writes as ../train/images is train/images."""
    for folder in (root, beside):
        for name in (entry, entry.removeprefix("../")):
            if os.path.exists(folder / name):  # also False for a name that no disk takes
                return folder / name
    return root / entry


def _names(content: dict[object, object], path: pathlib.Path) -> tuple[str, ...]:
    names = content.get("names") or []
    if isinstance(names, dict):
        if sorted(names, key=str) != sorted(range(len(names)), key=str):
            raise ValueError(f"{path}: names have other keys than 0..{len(names) - 1}")
        names = [names[index] for index in range(len(names))]
    if not isinstance(names, list):
        raise ValueError(f"{path}: names is {type(names).__name__}, expected the classes in their order")
    found = tuple(_text(name, "names", path) for name in names)
    if len(set(found)) < len(found):
        raise ValueError(f"{path}: a class comes twice in names")
    if "nc" in content and found and content["nc"] != len(found):
        raise ValueError(f"{path}: nc is {str(content['nc'])[:40]}, and there are {len(found)} names")
    return found


def _text(value: object, key: str, path: pathlib.Path) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise ValueError(f"{path}: {key} has {str(value)[:40]!r}, expected text; write it in quotes")
    return value
