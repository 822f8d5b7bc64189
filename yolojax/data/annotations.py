"""Devkit annotations: XML to the objects of an image, with a decision for everything that is wrong with them.

| what | what happens |
|---|---|
| a box of no area, or turned around | dropped, counted |
| a box partly outside the image | clipped, counted |
| a box wholly outside | dropped, counted |
| a class that is not in the names | dropped, counted |
| an image without objects | kept |
| a grey or CMYK image | read as RGB |
| a listed image, or its annotation, that is missing | skipped, counted |
| an image that cannot be decoded, or ends too early | skipped, counted |
| an annotation that is no devkit XML | AnnotationError with the file |
| a split without a usable image | ValueError |

All is decided when a data set is prepared, so that no worker fails halfway. The counts are kept with the prepared data
and go to the log, in one line, each time the split is opened.
"""

import collections
import math
import os
import pathlib
from collections.abc import Sequence
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np
from absl import logging

from yolojax import darknet
from yolojax.detection import Objects
from yolojax.files import read_bytes, read_text

MAX_BYTES = 1 << 20
MAX_SIDE = 1_000_000  # pixels
MAX_LIST_BYTES = 1 << 26
MAX_ID_CHARACTERS = 200
POSES = ("frontal", "rear", "left", "right", "unspecified")
SPLIT_FILES = {"train": "train", "validation": "val", "trainval": "trainval", "test": "test"}


class AnnotationError(ValueError):
    """An annotation that cannot be read; the message is one line, with the file."""


class Annotation(NamedTuple):
    """One image: its id (the file's stem), size in pixels, and objects."""

    image_id: str
    width: int
    height: int
    objects: Objects


class Found(NamedTuple):
    """One <object>: class, box (xmin, ymin, xmax, ymax) in 1-based pixels, and the devkit's remarks."""

    name: str
    box: tuple[float, float, float, float]
    difficult: bool = False
    truncated: bool = False
    pose: str = "unspecified"


class Counts(collections.Counter[str]):
    """How often each decision of the table above was taken."""

    def __str__(self) -> str:
        """One line; empty when nothing happened."""
        return ", ".join(f"{count} {what}" for what, count in sorted(self.items()))

    def log(self, source: str) -> None:
        """One warning; none when nothing happened."""
        if self:
            logging.warning("%s: %s", source, self)


def parse_annotation(data: bytes, source: str) -> tuple[int, int, list[Found]]:
    """Width, height (0 when not told) and objects of a devkit XML; `source` is the file's name in AnnotationError.

    A DOCTYPE is refused: without one nothing expands, and nothing outside the file is read.
    """
    if len(data) > MAX_BYTES:
        raise AnnotationError(f"{source}: more than {MAX_BYTES} bytes, expected a devkit annotation")
    try:
        root = ElementTree.fromstring(data, ElementTree.XMLParser(target=_PlainBuilder()))
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        raise AnnotationError(f"{source}: {error}, expected a devkit annotation in XML") from None
    if root.tag != "annotation":
        raise AnnotationError(f"{source}: <{root.tag[:40]}>, expected <annotation>")
    width, height = (_number(root, f"size/{side}", source, 0.0) for side in ("width", "height"))
    if max(width, height) > MAX_SIDE:
        raise AnnotationError(f"{source}: a size of {width:.6g}x{height:.6g}, expected at most {MAX_SIDE} pixels")
    return int(width), int(height), [_found(element, source) for element in root.findall("object")]


class _PlainBuilder(ElementTree.TreeBuilder):
    """Refuses a DOCTYPE in whatever encoding: entities that expand themselves need one, and a devkit file has none."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise ValueError("has a DOCTYPE")


def _found(element: ElementTree.Element, source: str) -> Found:
    name = (element.findtext("name") or "").strip()
    if not name:
        raise AnnotationError(f"{source}: an object without a name, expected <name>")
    try:
        darknet.check_name(name, source)
    except ValueError as error:
        raise AnnotationError(str(error)) from None
    xmin, ymin, xmax, ymax = (_number(element, f"bndbox/{side}", source) for side in ("xmin", "ymin", "xmax", "ymax"))
    difficult, truncated = (_number(element, mark, source, 0.0) == 1 for mark in ("difficult", "truncated"))
    pose = (element.findtext("pose") or "").lower()
    return Found(name, (xmin, ymin, xmax, ymax), difficult, truncated, pose if pose in POSES else "unspecified")


def _number(element: ElementTree.Element, path: str, source: str, default: float | None = None) -> float:
    text = element.findtext(path)
    if text is None and default is not None:
        return default
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise AnnotationError(f"{source}: <{path}> is {(text or '')[:40]!r}, expected a number")
    return value


def clean_objects(found: Sequence[Found], width: int, height: int, names: Sequence[str], counts: Counts) -> list[Found]:
    """The usable objects of a `width` x `height` image, clipped to it; what is not usable is counted."""
    usable = []
    for item in found:
        xmin, ymin, xmax, ymax = item.box
        box = (max(xmin, 1.0), max(ymin, 1.0), min(xmax, float(width)), min(ymax, float(height)))
        if item.name not in names:
            counts["objects of an unknown class dropped"] += 1
        elif _no_area(item.box):
            counts["boxes of no area dropped"] += 1
        elif _no_area(box):
            counts["boxes outside the image dropped"] += 1
        else:
            # Many devkits count from 0; a pixel over the edge is no news.
            if xmin < 0 or ymin < 0 or xmax > width + 1 or ymax > height + 1:
                counts["boxes clipped to the image"] += 1
            usable.append(item._replace(box=box))
    return usable


def _no_area(box: tuple[float, float, float, float]) -> bool:
    """In whole pixels, as boxes are read back."""
    xmin, ymin, xmax, ymax = map(round, box)
    return xmax <= xmin or ymax <= ymin


def to_objects(found: Sequence[Found], names: Sequence[str]) -> Objects:
    """Objects as arrays; a label is the class's place in `names`."""
    return Objects(
        np.array([item.box for item in found], np.float64).reshape(-1, 4),
        np.array([names.index(item.name) for item in found], np.int32),
        np.array([item.difficult for item in found], bool),
    )


def find_devkit(folder: str | os.PathLike[str]) -> pathlib.Path:
    """The folder that holds Annotations/ and ImageSets/Main/: `folder` itself, or VOCdevkit/VOC* in it.

    Raises ValueError when there is none, or more than one.
    """
    root = pathlib.Path(folder)
    found = [root, *sorted(root.glob("VOC*")), *sorted(root.glob("VOCdevkit/VOC*"))]
    found = [path for path in found if (path / "Annotations").is_dir() and (path / "ImageSets" / "Main").is_dir()]
    if len(found) != 1:
        what = "no Annotations/ and ImageSets/Main/" if not found else f"{len(found)} devkit folders"
        raise ValueError(f"{folder}: {what} in it, expected one folder in devkit layout")
    return found[0]


def split_file(devkit: pathlib.Path, split: str) -> pathlib.Path:
    """Where a devkit folder lists the images of a split. Raises ValueError for an unknown split."""
    if split not in SPLIT_FILES:
        raise ValueError(f"split {split!r}, expected one of {', '.join(SPLIT_FILES)}")
    return devkit / "ImageSets" / "Main" / f"{SPLIT_FILES[split]}.txt"


def read_split(devkit: pathlib.Path, split: str) -> list[str]:
    """The image ids of a split, each once, as ImageSets/Main lists them; ids that leave the folder are refused."""
    path = split_file(devkit, split)
    if not path.is_file():
        raise ValueError(f"{path}: no such file, so there is no {split} split")
    ids: dict[str, None] = {}
    text = read_text(path, MAX_LIST_BYTES, "one image name per line")
    for line, content in enumerate(text.splitlines(), start=1):
        image_id = content.split(maxsplit=1)[0] if content.strip() else ""
        if "/" in image_id or "\\" in image_id or image_id.startswith("."):
            raise ValueError(f"{path}:{line}: {image_id[:40]!r}, expected the name of an image without its folder")
        if len(image_id) > MAX_ID_CHARACTERS or not image_id.isprintable():
            raise ValueError(f"{path}:{line}: {image_id[:40]!r}, expected the name of an image")
        if image_id:
            ids[image_id] = None
    return list(ids)


def read_xml(path: pathlib.Path) -> bytes:
    """The bytes of an annotation. Raises AnnotationError for what is too long to be one."""
    return read_bytes(path, MAX_BYTES, "a devkit annotation", AnnotationError)


def read_names(devkit: pathlib.Path, ids: Sequence[str]) -> tuple[str, ...]:
    """Every class in the annotations of `ids`, sorted."""
    names: set[str] = set()
    for image_id in ids:
        path = devkit / "Annotations" / f"{image_id}.xml"
        if path.is_file():
            names |= {found.name for found in parse_annotation(read_xml(path), str(path))[2]}
    if not names:
        raise ValueError(f"{devkit}: no object in its annotations, so no class")
    return tuple(sorted(names))


def read_annotations(folder: str | os.PathLike[str], split: str, names: Sequence[str]) -> list[Annotation]:
    """The annotations of a devkit folder's split, without its images; objects of classes not in `names` are dropped.

    The images' sizes come from the XML. Raises ValueError for a listed image without an annotation.
    """
    devkit, counts, annotations = find_devkit(folder), Counts(), []
    ids = read_split(devkit, split)
    if not ids:
        raise ValueError(f"{split_file(devkit, split)}: lists no image")
    for image_id in ids:
        path = devkit / "Annotations" / f"{image_id}.xml"
        if not path.is_file():
            raise ValueError(f"{path}: no such file, but {split} lists {image_id}")
        width, height, found = parse_annotation(read_xml(path), str(path))
        if width <= 0 or height <= 0:
            raise AnnotationError(f"{path}: a size of {width}x{height}, expected the image's")
        objects = to_objects(clean_objects(found, width, height, names, counts), names)
        annotations.append(Annotation(image_id, width, height, objects))
    counts.log(f"{folder} ({split})")
    return annotations
