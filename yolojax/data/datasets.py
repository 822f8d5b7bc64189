"""Opening a data set by its name: prepared by TFDS if need be, then random access to its records."""

import dataclasses
import os
import pathlib
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import grain
import numpy as np
import tensorflow_datasets as tfds
from absl import logging
from jaxtyping import Float64, UInt8

from yolojax.data.annotations import Annotation
from yolojax.data.images import decode_image, image_size
from yolojax.data.preparation import prepare
from yolojax.data.records import Record
from yolojax.data.sources import find_source
from yolojax.detection import Objects


@runtime_checkable
class Records(Protocol):
    """Random access to records, as TFDS's data sources give it."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Record: ...


@dataclasses.dataclass(frozen=True)
class Dataset:
    """One split. `source[i]` is a record with the features of TFDS's `voc`, its image still encoded."""

    names: tuple[str, ...]
    source: Records
    description: str

    def __len__(self) -> int:
        return len(self.source)

    def image(self, index: int) -> UInt8[np.ndarray, "height width 3"]:
        """The RGB image of a record."""
        return decode_record_image(self.source[index])

    def image_id(self, index: int) -> str:
        """The image's name, without its suffix."""
        return _image_id(self.source[index])

    def truth(self) -> list[Annotation]:
        """What each image shows, boxes in 1-based pixels; without decoding the images."""
        return [to_annotation(self.source[i]) for i in range(len(self))]


def open_dataset(spec: str, split: str, *, data_dir: str | None = None, names: Sequence[str] | None = None) -> Dataset:
    """A split of a data set, prepared if it is not yet.

    Args:
      spec: the name of a source, with its argument after a colon: `voc0712`, `devkit:FOLDER`, ... (see `SOURCES`).
      split: `train`, `validation`, `trainval` or `test`.
      data_dir: where TFDS keeps prepared data; None is TFDS's default.
      names: the classes, in their order, of a folder that does not fix them; None takes those of its annotations.

    Raises:
      ValueError: an unknown source or split, an empty split, or data that cannot be had, with what to do.
    """
    source, argument = find_source(spec, split)
    builders = source.build(argument, split, names, data_dir)
    parts = [_open_split(prepare(builder), split, spec) for builder in builders]
    records = parts[0] if len(parts) == 1 else Concatenated(parts)
    classes = tuple(builders[0].info.features["labels"].feature.names)
    return Dataset(classes, records, f"{spec} {split} ({len(records)} images)")


class Concatenated:
    """Several sources as one."""

    def __init__(self, sources: Sequence[Records]):
        self._sources = sources
        self._ends = np.cumsum([len(source) for source in sources])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __getitem__(self, index: int) -> Record:
        part = int(np.searchsorted(self._ends, index, side="right"))
        return self._sources[part][index - int(self._ends[part] - len(self._sources[part]))]


def decode_record_image(record: Record) -> UInt8[np.ndarray, "height width 3"]:
    """The RGB image of a record. Raises ValueError when it cannot be decoded."""
    image = decode_image(record["image"])
    if image is None:
        raise ValueError(f"{_image_id(record)}: the image cannot be decoded; delete the prepared data set")
    return image


def to_annotation(record: Record, size: tuple[int, int] | None = None) -> Annotation:
    """The record's truth in 1-based whole pixels; `size` is width and height, from the image's header if not given."""
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


def _open_split(builder: tfds.core.DatasetBuilder, split: str, spec: str) -> Records:
    available = builder.info.splits
    parts = [split]
    if split == "trainval" and "trainval" not in available:
        parts = [part for part in ("train", "validation") if part in available]
    for part in parts:
        if text := (builder.info.metadata or {}).get(part):
            logging.warning("%s %s: %s", spec, part, text)
    if builder.info.file_format == tfds.core.FileFormat.TFRECORD:
        return _read_tfrecords(builder, parts)
    return builder.as_data_source(split="+".join(parts), decoders={"image": tfds.decode.SkipDecoding()})


def _read_tfrecords(builder: tfds.core.DatasetBuilder, splits: Sequence[str]) -> list[Record]:
    """Data that TFDS prepared in its default format, which has no random access: held in memory, images encoded."""
    features, decoders = builder.info.features, {"image": tfds.decode.SkipDecoding()}
    paths = [path for split in splits for path in builder.info.splits[split].filepaths]
    logging.info("%s is prepared as tfrecord: reading it into memory", builder.info.full_name)
    return [
        features.deserialize_example_np(data, decoders=decoders)
        for path in paths
        for data in grain.experimental.TFRecordIterDataset(os.fspath(path))
    ]
