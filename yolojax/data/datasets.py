"""Opening a data set by its name: prepared by TFDS if need be, then random access to its records."""

import contextlib
import dataclasses
import io
import os
import pathlib
import socket
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlparse

import grain
import numpy as np
import tensorflow_datasets as tfds
from absl import logging
from PIL import Image
from tensorflow_datasets.object_detection import voc

from yolojax.data.annotations import Annotation
from yolojax.data.builders import ShapesBuilder, VocBuilder, devkit_builder
from yolojax.data.images import decode_image
from yolojax.detection import Objects

SPLITS = ("train", "validation", "trainval", "test")
YEARS = {"voc2007": ("2007",), "voc2012": ("2012",), "voc0712": ("2007", "2012")}
Record = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Dataset:
    """One split. `source[i]` is a record with the features of TFDS's `voc`, its image still encoded."""

    names: tuple[str, ...]
    source: Sequence[Record]
    description: str

    def __len__(self) -> int:
        return len(self.source)

    def image(self, index: int) -> np.ndarray:
        """(H, W, 3) uint8 RGB."""
        return decode_record_image(self.source[index])

    def truth(self) -> list[Annotation]:
        """What each image shows, boxes in 1-based pixels; without decoding the images."""
        return [to_annotation(self.source[i]) for i in range(len(self))]


def open_dataset(
    spec: str, split: str, *, data_dir: str | None = None, names: Sequence[str] | None = None
) -> Dataset:
    """A split of a data set, prepared if it is not yet.

    Args:
      spec: `voc2007`, `voc2012`, `voc0712` (both; its test is VOC2007's), `devkit:FOLDER` or `shapes` (generated).
      split: `train`, `validation`, `trainval` or `test`.
      data_dir: where TFDS keeps prepared data; None is TFDS's default.
      names: the classes, in their order, of a devkit folder; None takes them from its annotations, sorted.

    Raises:
      ValueError: an unknown name or split, an empty split, or data that cannot be had, with what to do.
    """
    if split not in SPLITS:
        raise ValueError(f"split {split!r}, expected one of {', '.join(SPLITS)}")
    kind, _, folder = spec.partition(":")
    if kind in YEARS and not folder:
        years = YEARS[kind] if split != "test" or kind == "voc2012" else ("2007",)
        builders = [_prepare_voc(year, data_dir) for year in years]
    elif kind == "devkit" and folder:
        builders = [_prepare(devkit_builder(folder, names, data_dir))]
    elif spec == "shapes":
        builders = [_prepare(ShapesBuilder(data_dir=data_dir))]
    else:
        raise ValueError(f"data {spec!r}, expected voc2007, voc2012, voc0712, devkit:FOLDER or shapes")
    sources = [_open_split(builder, split, spec) for builder in builders]
    source = sources[0] if len(sources) == 1 else Concatenated(sources)
    classes = tuple(builders[0].info.features["labels"].feature.names)
    return Dataset(classes, source, f"{spec} {split} ({len(source)} images)")


class Concatenated:
    """Several sources as one."""

    def __init__(self, sources: Sequence[Sequence[Record]]):
        self._sources = sources
        self._ends = np.cumsum([len(source) for source in sources])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __getitem__(self, index: int) -> Record:
        part = int(np.searchsorted(self._ends, index, side="right"))
        return self._sources[part][index - int(self._ends[part] - len(self._sources[part]))]


def decode_record_image(record: Record) -> np.ndarray:
    """(H, W, 3) uint8 RGB."""
    image = decode_image(record["image"])
    if image is None:
        raise ValueError(f"{_image_id(record)}: its image cannot be decoded; delete the prepared data set")
    return image


def to_annotation(record: Record) -> Annotation:
    """The record's truth in 1-based pixels."""
    width, height = Image.open(io.BytesIO(record["image"])).size
    objects = record["objects"]
    relative = np.asarray(objects["bbox"], np.float64).reshape(-1, 4)  # ymin, xmin, ymax, xmax
    # The builder divided whole pixels by the size.
    boxes = np.rint(relative[:, [1, 0, 3, 2]] * np.array([width, height] * 2))
    labels = np.asarray(objects["label"], np.int32).reshape(-1)
    difficult = np.asarray(objects["is_difficult"], bool).reshape(-1)
    return Annotation(_image_id(record), width, height, Objects(boxes, labels, difficult))


def box_sizes(dataset: Dataset) -> np.ndarray:
    """Widths and heights of all objects relative to their images, (N, 2)."""
    sizes = [(a.objects.boxes[:, 2:] - a.objects.boxes[:, :2]) / [a.width, a.height] for a in dataset.truth()]
    return np.concatenate(sizes)


def _image_id(record: Record) -> str:
    return pathlib.Path(record["image/filename"].decode()).stem


def _open_split(builder: Any, split: str, spec: str) -> Sequence[Record]:
    available = builder.info.splits
    name = "train+validation" if split == "trainval" and "trainval" not in available else split
    missing = [part for part in name.split("+") if part not in available]
    if missing:
        raise ValueError(f"{spec} has no {missing[0]} split; it has {', '.join(available)}")
    if builder.info.file_format == tfds.core.FileFormat.TFRECORD:
        return _read_tfrecords(builder, name.split("+"))
    return builder.as_data_source(split=name, decoders={"image": tfds.decode.SkipDecoding()})


def _read_tfrecords(builder: Any, splits: Sequence[str]) -> list[Record]:
    """Data that TFDS prepared in its default format, which has no random access: held in memory, images encoded."""
    features, decoders = builder.info.features, {"image": tfds.decode.SkipDecoding()}
    paths = [path for split in splits for path in builder.info.splits[split].filepaths]
    logging.info("%s is prepared as tfrecord: reading it into memory", builder.info.full_name)
    return [
        features.deserialize_example_np(data, decoders=decoders)
        for path in paths
        for data in grain.experimental.TFRecordIterDataset(os.fspath(path))
    ]


def _prepare(builder: Any) -> Any:
    if not (pathlib.Path(builder.data_dir) / "dataset_info.json").exists():
        logging.info("preparing %s in %s", builder.name, builder.data_dir)
        config = tfds.download.DownloadConfig(compute_stats=tfds.download.ComputeStatsMode.SKIP)
        with _user_errors():
            builder.download_and_prepare(file_format="array_record", download_config=config)
    return builder


def _prepare_voc(year: str, data_dir: str | None) -> Any:
    stock = VocBuilder(config=year, data_dir=data_dir)
    if not (pathlib.Path(stock.data_dir) / "dataset_info.json").exists():
        _check_downloads(stock)
    return _prepare(stock)


def _check_downloads(builder: VocBuilder) -> None:
    """Raises ValueError at once when tars are missing and cannot be fetched; TFDS would try for minutes."""
    manual = pathlib.Path(builder._data_dir_root) / "downloads" / "manual"
    missing = [name for name in builder.tars().values() if not (manual / name).exists()]
    host = urlparse(voc._VOC_DATA_URL).hostname
    if missing and not _reachable(host or ""):
        raise ValueError(
            f"VOC{builder.builder_config.year} is not prepared in {builder._data_dir_root} and {host} cannot be reached; "
            f"put the official {' and '.join(missing)} into {manual}"
        )


def _reachable(host: str) -> bool:
    try:
        socket.create_connection((host, 443), timeout=3).close()
    except OSError:
        return False
    return True


@contextlib.contextmanager
def _user_errors() -> Iterator[None]:
    """TFDS wraps what a generator raises; a ValueError of ours is raised as it was."""
    try:
        yield
    except RuntimeError as error:
        if isinstance(error.__cause__, ValueError):
            raise error.__cause__ from None
        raise
