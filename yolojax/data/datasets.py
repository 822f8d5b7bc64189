"""Opens a data set by its name: TFDS prepares it if need be, then its records can be read in any order."""

import collections
import dataclasses
import os
import pathlib
from collections.abc import Sequence

import grain
import numpy as np
import tensorflow_datasets as tfds
from absl import logging
from jaxtyping import Float64, UInt8

from yolojax.data.annotations import Annotation
from yolojax.data.classes import compare_classes
from yolojax.data.images import decode_image, image_size
from yolojax.data.preparation import prepare
from yolojax.data.records import Record, Records, classes_key
from yolojax.data.sources import find_source
from yolojax.data.splits import parts_of, split_name
from yolojax.detection import Objects


@dataclasses.dataclass(frozen=True)
class Dataset:
    """One split of a data set.

    Attributes:
      names: the classes in their order.
      source: the records, with the features of TFDS's `voc`, images still encoded.
      description: name, split and number of images, for logs and reports.
      labelled: whether the data say which objects are in the images.
      found: what stands in for the labels that are not there, an entry per image; None for the records' own objects.
    """

    names: tuple[str, ...]
    source: Records
    description: str
    labelled: bool = True
    found: Sequence[Annotation] | None = None

    def __len__(self) -> int:
        return len(self.source)

    def image(self, index: int) -> UInt8[np.ndarray, "height width 3"]:
        """The RGB image of a record."""
        return decode_record_image(self.source[index])

    def image_id(self, index: int) -> str:
        """The image's name, without its suffix."""
        return _image_id(self.source[index])

    def truth(self) -> list[Annotation]:
        """The objects of each image, boxes in 1-based pixels. Reads the headers of the images only."""
        if self.found is not None:
            return list(self.found)
        return [to_annotation(self.source[i]) for i in range(len(self))]


def open_dataset(spec: str, split: str, *, data_dir: str | None = None, names: Sequence[str] | None = None) -> Dataset:
    """A split of a data set, which is prepared first if need be.

    Args:
      spec: the name of a source, with its argument after a colon: `voc0712`, `devkit:FOLDER`, ... (see `SOURCES`).
      split: `train`, `validation` (or `val`), `trainval` or `test`.
      data_dir: where TFDS keeps prepared data; None is TFDS's default.
      names: the classes, in their order, of a folder that does not fix them; None takes those of its annotations, none
        where it has none.

    Raises:
      ValueError: an unknown source or split, a split that is not there, one without an object of the classes `names`,
        or data that are missing or damaged, with what to do.
    """
    split = split_name(split)
    source, argument = find_source(spec, split)
    if source.read:
        pictures, about = source.read(argument, split)
        count = ", ".join(filter(None, [f"{len(pictures)} images", about]))
        return Dataset(tuple(names or ()), pictures, f"{spec} {split} ({count})", labelled=False)
    assert source.build
    builders = source.build(argument, split, names, data_dir)
    parts = [_open_split(prepare(builder), split, spec) for builder in builders]
    records = parts[0] if len(parts) == 1 else Concatenated(parts)
    classes = tuple(builders[0].info.features["labels"].feature.names)
    compare_classes(classes, _objects(builders, split), f"{spec} {split}")
    return Dataset(classes, records, f"{spec} {split} ({len(records)} images)")


def hold_out(dataset: Dataset, share: float, *, seed: int = 0) -> tuple[Dataset, Dataset]:
    """The data set without a random `share` of its images, and that share; the same images for the same seed.

    Raises ValueError unless both have an image.
    """
    order = np.random.default_rng(seed).permutation(len(dataset))
    count = round(share * len(dataset))
    if not 0 < count < len(dataset):
        raise ValueError(
            f"{dataset.description}: a share of {share} is {count} of its images, expected some and not all"
        )
    kept, held = sorted(order[count:].tolist()), sorted(order[:count].tolist())
    names = (f"{dataset.description} without {count} held out", f"{count} images held out of {dataset.description}")
    first, second = (
        dataclasses.replace(dataset, source=Chosen(dataset.source, indices), description=name)
        for indices, name in zip((kept, held), names, strict=True)
    )
    return first, second


class Chosen:
    """Some of the records of a source."""

    def __init__(self, source: Records, indices: Sequence[int]):
        self._source = source
        self._indices = indices

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, index: int) -> Record:
        return self._source[self._indices[index]]


def class_names(spec: str, split: str, data_dir: str | None = None) -> tuple[str, ...]:
    """The classes of a labelled split, as the data have them; nothing is prepared.

    Raises ValueError as `open_dataset` does, and for a source without labels.
    """
    split = split_name(split)
    source, argument = find_source(spec, split)
    if source.build is None:
        raise ValueError(f"{spec} has no labels, so its classes are unknown")
    return tuple(source.build(argument, split, None, data_dir or None)[0].info.features["labels"].feature.names)


class Concatenated:
    """The records of several parts, one after the other."""

    def __init__(self, parts: Sequence[Records]):
        self._parts = parts
        self._ends = np.cumsum([len(part) for part in parts])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __getitem__(self, index: int) -> Record:
        which = int(np.searchsorted(self._ends, index, side="right"))
        part = self._parts[which]
        return part[index - int(self._ends[which] - len(part))]


def decode_record_image(record: Record) -> UInt8[np.ndarray, "height width 3"]:
    """The RGB image of a record. Raises ValueError when it cannot be decoded."""
    image = decode_image(record["image"])
    if image is None:
        raise ValueError(f"{_image_id(record)}: the image cannot be decoded; mend it, or delete the prepared data set")
    return image


def to_annotation(record: Record, size: tuple[int, int] | None = None) -> Annotation:
    """The objects of a record, boxes in whole 1-based pixels.

    `size` is the image's width and height; None reads them from the image's header.
    """
    width, height = size or image_size(record["image"])
    objects = record["objects"]
    relative = np.asarray(objects["bbox"], np.float64).reshape(-1, 4)  # ymin, xmin, ymax, xmax
    # The builder divided whole pixels by the size.
    boxes = np.rint(relative[:, [1, 0, 3, 2]] * np.array([width, height] * 2))
    labels = np.asarray(objects["label"], np.int32).reshape(-1)
    difficult = np.asarray(objects["is_difficult"], bool).reshape(-1)
    return Annotation(_image_id(record), width, height, Objects(boxes, labels, difficult))


def box_sizes(dataset: Dataset) -> Float64[np.ndarray, "objects 2"]:
    """Width and height of each object relative to its image."""
    sizes = [(a.objects.boxes[:, 2:] - a.objects.boxes[:, :2]) / [a.width, a.height] for a in dataset.truth()]
    return np.concatenate(sizes)


def _image_id(record: Record) -> str:
    return pathlib.Path(record["image/filename"].decode()).stem


def _parts(builder: tfds.core.DatasetBuilder, split: str) -> list[str]:
    """The splits of a builder that make up `split`."""
    return parts_of(split, builder.info.splits) or [split]


def _objects(builders: Sequence[tfds.core.DatasetBuilder], split: str) -> collections.Counter[str]:
    """How many objects of each class a split had, those that were dropped too; empty where that is not known."""
    found: collections.Counter[str] = collections.Counter()
    for builder in builders:
        for part in _parts(builder, split):
            found.update((builder.info.metadata or {}).get(classes_key(part), {}))
    return found


def _open_split(builder: tfds.core.DatasetBuilder, split: str, spec: str) -> Records:
    parts = _parts(builder, split)
    for part in parts:
        if text := (builder.info.metadata or {}).get(part):
            logging.warning("%s %s: %s", spec, part, text)
    if builder.info.file_format == tfds.core.FileFormat.TFRECORD:
        return _read_tfrecords(builder, parts)
    return builder.as_data_source(split="+".join(parts), decoders={"image": tfds.decode.SkipDecoding()})


def _read_tfrecords(builder: tfds.core.DatasetBuilder, splits: Sequence[str]) -> list[Record]:
    """The records of data in TFDS's default format, which has no random access: all in memory, images encoded."""
    features, decoders = builder.info.features, {"image": tfds.decode.SkipDecoding()}
    paths = [path for split in splits for path in builder.info.splits[split].filepaths]
    logging.info("%s is prepared as tfrecord: reading it into memory", builder.info.full_name)
    return [
        features.deserialize_example_np(data, decoders=decoders)
        for path in paths
        for data in grain.experimental.TFRecordIterDataset(os.fspath(path))
    ]
