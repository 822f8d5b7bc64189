"""Folders in VOC's devkit layout: Annotations/, ImageSets/Main/ and JPEGImages/."""

import pathlib
from collections.abc import Sequence

import tensorflow_datasets as tfds

from yolojax.data.annotations import Annotation, AnnotationError, Counts, Found, clean_objects, to_objects
from yolojax.data.classes import compare_classes
from yolojax.data.devkit_xml import MAX_BYTES, parse_annotation
from yolojax.data.images import MAX_IMAGE_BYTES
from yolojax.data.listing import Listing, listing_builder, read_if_there
from yolojax.data.splits import split_name
from yolojax.files import Path, read_bytes, read_text

MAX_LIST_BYTES = 1 << 26
MAX_ID_CHARACTERS = 200
SPLIT_FILES = {"train": "train", "validation": "val", "trainval": "trainval", "test": "test"}


def builders(
    folder: str, split: str, names: Sequence[str] | None, data_dir: str | None
) -> list[tfds.core.DatasetBuilder]:
    """The builder of a devkit folder's split; those of train and validation where no trainval is listed.

    `names` is the classes in their order; None takes those of all annotations, sorted. Raises ValueError for a folder
    in another layout.
    """
    devkit = find_devkit(folder).resolve()
    ids = read_splits(devkit)
    if not names:
        names = read_names(devkit, sorted({image_id for part in ids.values() for image_id in part}))
    parts = ["train", "validation"] if split == "trainval" and "trainval" not in ids else [split]
    parts = [part for part in parts if part in ids]
    listings = [list_images(devkit, part, tuple(names), ids[part]) for part in parts]
    return [listing_builder("devkit", listing, data_dir) for listing in listings]


def list_images(devkit: pathlib.Path, split: str, names: tuple[str, ...], ids: list[str]) -> Listing:
    """The images `ids` of a devkit folder."""

    def read_image(image_id: str) -> bytes | None:
        return read_if_there(_image_path(devkit, image_id), MAX_IMAGE_BYTES)

    def read_objects(image_id: str, width: int, height: int) -> list[Found] | None:
        path = _xml_path(devkit, image_id)
        xml = read_if_there(path, MAX_BYTES)
        return None if xml is None else parse_annotation(xml, f"{devkit} ({split}): {path.name}")[2]

    files = [_xml_path(devkit, image_id) for image_id in ids] + [_image_path(devkit, image_id) for image_id in ids]
    return Listing(str(devkit), split, names, ids, read_image, read_objects, files)


def find_devkit(folder: Path) -> pathlib.Path:
    """The folder that holds Annotations/ and ImageSets/Main/: `folder` itself, or VOCdevkit/VOC* in it.

    Raises ValueError unless it finds exactly one.
    """
    root = pathlib.Path(folder).expanduser()
    found = [root, *sorted(root.glob("VOC*")), *sorted(root.glob("VOCdevkit/VOC*"))]
    found = [path for path in found if (path / "Annotations").is_dir() and (path / "ImageSets" / "Main").is_dir()]
    if len(found) != 1:
        what = "no Annotations/ and ImageSets/Main/" if not found else f"{len(found)} devkit folders"
        raise ValueError(f"{folder}: {what} in it, expected one folder in devkit layout")
    return found[0]


def find_splits(folder: str) -> tuple[str, ...]:
    """The splits of a devkit folder that list an image. Raises ValueError for a folder in another layout."""
    return tuple(read_splits(find_devkit(folder)))


def read_splits(devkit: pathlib.Path) -> dict[str, list[str]]:
    """The image ids of each split that lists any."""
    ids = {name: read_split(devkit, name) for name in SPLIT_FILES if split_file(devkit, name).is_file()}
    return {name: listed for name, listed in ids.items() if listed}


def split_file(devkit: pathlib.Path, split: str) -> pathlib.Path:
    """The file in which a devkit folder lists the images of a split. Raises ValueError for an unknown split."""
    return devkit / "ImageSets" / "Main" / f"{SPLIT_FILES[split_name(split)]}.txt"


def read_split(devkit: pathlib.Path, split: str) -> list[str]:
    """The image ids of a split, each once, in the order of ImageSets/Main.

    Raises ValueError for a list that is missing, and for an id that is a path.
    """
    path = split_file(devkit, split)
    if not path.is_file():
        there = ", ".join(name for name in SPLIT_FILES if split_file(devkit, name).is_file()) or "none"
        raise ValueError(f"{path}: no such file, so there is no {split} split; there is {there}")
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
    """The bytes of an annotation. Raises AnnotationError when the file is too long to be one."""
    return read_bytes(path, MAX_BYTES, "a devkit annotation", AnnotationError)


def read_names(devkit: pathlib.Path, ids: Sequence[str]) -> tuple[str, ...]:
    """Every class in the annotations of `ids`, sorted. Raises ValueError when they have no objects."""
    names: set[str] = set()
    for image_id in ids:
        path = _xml_path(devkit, image_id)
        if path.is_file():
            names |= {found.name for found in parse_annotation(read_xml(path), str(path))[2]}
    if not names:
        raise ValueError(f"{devkit}: its annotations have no objects, so its classes are unknown")
    return tuple(sorted(names))


def read_annotations(folder: Path, split: str, names: Sequence[str]) -> list[Annotation]:
    """The annotations of a devkit folder's split, without its images; objects of classes not in `names` are dropped.

    The images' sizes come from the XML. Raises ValueError for a listed image without an annotation.
    """
    devkit, counts, annotations = find_devkit(folder), Counts(), []
    ids = read_split(devkit, split)
    if not ids:
        raise ValueError(f"{split_file(devkit, split)}: lists no image")
    for image_id in ids:
        path = _xml_path(devkit, image_id)
        if not path.is_file():
            raise ValueError(f"{path}: no such file, but {split} lists {image_id}")
        width, height, found = parse_annotation(read_xml(path), str(path))
        if width <= 0 or height <= 0:
            raise AnnotationError(f"{path}: a size of {width}x{height}, expected the image's")
        objects = to_objects(clean_objects(found, width, height, names, counts), names)
        annotations.append(Annotation(image_id, width, height, objects))
    compare_classes(names, counts.classes, f"{folder} {split}")
    counts.log(f"{folder} ({split})")
    return annotations


def _xml_path(devkit: pathlib.Path, image_id: str) -> pathlib.Path:
    return devkit / "Annotations" / f"{image_id}.xml"


def _image_path(devkit: pathlib.Path, image_id: str) -> pathlib.Path:
    """The image, with whichever suffix it has; the usual one where it is missing."""
    folder = devkit / "JPEGImages"
    candidates = [folder / f"{image_id}{suffix}" for suffix in (".jpg", ".jpeg", ".png")]
    return next((path for path in candidates if path.is_file()), candidates[0])
