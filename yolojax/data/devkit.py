"""Folders in VOC's devkit layout, or in one of those that people make of it (see `devkit_layout`)."""

import pathlib
from collections.abc import Sequence

import tensorflow_datasets as tfds

from yolojax.data.annotations import Annotation, AnnotationError, Counts, Found, clean_objects, to_objects
from yolojax.data.classes import compare_classes
from yolojax.data.devkit_layout import Part, find_parts, find_set
from yolojax.data.devkit_xml import MAX_BYTES, parse_annotation
from yolojax.data.folders import log_fifths
from yolojax.data.images import MAX_IMAGE_BYTES
from yolojax.data.listing import Listing, listing_builder, read_if_there
from yolojax.data.splits import parts_of
from yolojax.files import Path, read_bytes


def builders(
    folder: str, split: str, names: Sequence[str] | None, data_dir: str | None
) -> list[tfds.core.DatasetBuilder]:
    """The builder of a devkit folder's split; those of train and validation where there is no trainval.

    `names` is the classes in their order; None takes those of all annotations, sorted. Raises ValueError for a folder
    in another layout.
    """
    found = find_set(pathlib.Path(folder).expanduser().resolve())
    if found.divided:
        log_fifths(found.divided, f"devkit:{folder}")
    classes = tuple(names or read_names(str(found.root), list(found.parts.values())))
    listings = [list_images(str(found.root), name, classes, found.parts[name]) for name in parts_of(split, found.parts)]
    return [listing_builder("devkit", listing, data_dir) for listing in listings]


def find_splits(folder: str) -> tuple[str, ...]:
    """The splits of a devkit folder that list an image. Raises ValueError for a folder in another layout."""
    return tuple(find_set(folder).parts)


def list_images(source: str, split: str, names: tuple[str, ...], part: Part) -> Listing:
    """The images of a part of a devkit folder."""

    def read_image(image_id: str) -> bytes | None:
        return read_if_there(part.image_path(image_id), MAX_IMAGE_BYTES)

    def read_objects(image_id: str, width: int, height: int) -> list[Found] | None:
        path = part.xml_path(image_id)
        xml = read_if_there(path, MAX_BYTES)
        return None if xml is None else parse_annotation(xml, f"{source} ({split}): {path.name}")[2]

    ids = list(part.stems)
    files = [part.xml_path(image_id) for image_id in ids] + [part.image_path(image_id) for image_id in ids]
    return Listing(source, split, names, ids, read_image, read_objects, files)


def read_xml(path: pathlib.Path) -> bytes:
    """The bytes of an annotation. Raises AnnotationError when the file is too long to be one."""
    return read_bytes(path, MAX_BYTES, "a devkit annotation", AnnotationError)


def read_names(source: str, parts: Sequence[Part]) -> tuple[str, ...]:
    """Every class in the annotations of some parts, sorted. Raises ValueError when they have no objects."""
    names: set[str] = set()
    for path in sorted({part.xml_path(image_id) for part in parts for image_id in part.stems}):
        if path.is_file():
            names |= {found.name for found in parse_annotation(read_xml(path), str(path))[2]}
    if not names:
        raise ValueError(f"{source}: its annotations have no objects, so its classes are unknown")
    return tuple(sorted(names))


def read_annotations(folder: Path, split: str, names: Sequence[str]) -> list[Annotation]:
    """The annotations of a devkit folder's split, without its images; objects of classes not in `names` are dropped.

    The images' sizes come from the XML. Raises ValueError for a split that is not there, for a listed image without an
    annotation, and where no object is of one of `names`.
    """
    counts, annotations = Counts(), []
    for part in find_parts(folder, split):
        for image_id in part.stems:
            path = part.xml_path(image_id)
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
