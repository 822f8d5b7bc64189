"""TFDS builders that need no TensorFlow: VOC from the official tars, any devkit folder, and generated shapes.

All give the features of TFDS's stock `voc`, so the rest of the code does not know which one it has.
"""

import dataclasses
import hashlib
import io
import os
import pathlib
import tarfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from tensorflow_datasets.object_detection import voc

from yolojax.data.annotations import (
    POSES,
    SPLIT_FILES,
    Counts,
    Found,
    clean_objects,
    find_devkit,
    parse_annotation,
    read_names,
    read_split,
)
from yolojax.data.images import decode_image, encode_png
from yolojax.data.shapes import SHAPE_NAMES, SHAPE_SPLITS, SIZE, draw_sample

VOC_NAMES = voc._VOC_LABELS
Read = Callable[[str], bytes | None]


def voc_features(names: Sequence[str]) -> tfds.features.FeaturesDict:
    """The stock `voc` features for other class names."""
    label = tfds.features.ClassLabel(names=list(names))
    return tfds.features.FeaturesDict(
        {
            "image": tfds.features.Image(),
            "image/filename": tfds.features.Text(),
            "objects": tfds.features.Sequence(
                {
                    "label": label,
                    "bbox": tfds.features.BBoxFeature(),
                    "pose": tfds.features.ClassLabel(names=list(POSES)),
                    "is_truncated": np.bool_,
                    "is_difficult": np.bool_,
                }
            ),
            "labels": tfds.features.Sequence(label),
            "labels_no_difficult": tfds.features.Sequence(label),
        }
    )


def example(
    image: bytes, filename: str, width: int, height: int, found: Sequence[Found]
) -> dict[str, Any]:
    """A record as the features want it; boxes become value / size of 1-based pixels, as in the stock builder."""
    objects = []
    for item in found:
        xmin, ymin, xmax, ymax = item.box
        objects.append(
            {
                "label": item.name,
                "bbox": tfds.features.BBox(ymin / height, xmin / width, ymax / height, xmax / width),
                "pose": item.pose,
                "is_truncated": item.truncated,
                "is_difficult": item.difficult,
            }
        )
    return {
        "image": io.BytesIO(image),
        "image/filename": filename,
        "objects": objects,
        "labels": sorted({item.name for item in found}),
        "labels_no_difficult": sorted({item.name for item in found if not item.difficult}),
    }


def devkit_examples(
    ids: Iterable[str], read_image: Read, read_xml: Read, names: Sequence[str], source: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The usable records of a split; what is not usable is counted in the log (see `annotations`)."""
    counts, used = Counts(), 0
    for image_id in ids:
        data, xml = read_image(image_id), read_xml(image_id)
        if data is None or xml is None:
            counts["listed images missing, or without an annotation, skipped"] += 1
            continue
        image = decode_image(data)
        if image is None:
            counts["images that cannot be decoded skipped"] += 1
            continue
        height, width = image.shape[:2]
        _, _, found = parse_annotation(xml, f"{source}: {image_id}.xml")
        found = clean_objects(found, width, height, names, counts)
        used += 1
        yield image_id, example(data, f"{image_id}.jpg", width, height, found)
    counts.log(source)
    if not used:
        raise ValueError(f"{source}: no usable image")


with tfds.core.registered.skip_registration():

    class VocBuilder(voc.Voc):
        """TFDS's `voc`, prepared from the official tars with `tarfile` in place of TensorFlow."""

        name = "voc"

        def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
            paths = dl_manager.download({split: voc._VOC_DATA_URL + name for split, name in self.tars().items()})
            splits = {"train": ("trainval", "train"), "validation": ("trainval", "val"), "test": ("test", "test")}
            return {
                split: self._generate_examples(os.fspath(paths[tar]), listed)
                for split, (tar, listed) in splits.items()
                if tar in paths
            }

        def tars(self) -> dict[str, str]:
            """The official files; VOC2012's test set has no public annotations and is left out."""
            names = dict(self.builder_config.filenames)
            if not self.builder_config.has_test_annotations:
                del names["test"]
            return names

        def _generate_examples(self, path: str, listed: str) -> Iterator[tuple[str, dict[str, Any]]]:
            root = f"VOCdevkit/VOC{self.builder_config.year}"
            with tarfile.open(path) as tar:
                members = {member.name: member for member in tar}

                def read(name: str) -> bytes | None:
                    member = members.get(name)
                    file = tar.extractfile(member) if member else None
                    return file.read() if file else None

                split = read(f"{root}/ImageSets/Main/{listed}.txt")
                if split is None:
                    raise ValueError(f"{path}: no {root}/ImageSets/Main/{listed}.txt in it, expected the official tar")
                yield from devkit_examples(
                    [line.split()[0] for line in split.decode().splitlines() if line.strip()],
                    lambda image_id: read(f"{root}/JPEGImages/{image_id}.jpg"),
                    lambda image_id: read(f"{root}/Annotations/{image_id}.xml"),
                    VOC_NAMES,
                    f"VOC{self.builder_config.year} {listed}",
                )

    @dataclasses.dataclass(kw_only=True)
    class DevkitConfig(tfds.core.BuilderConfig):
        """A devkit folder; the config's name is a fingerprint of what it holds."""

        folder: str = ""
        names: tuple[str, ...] = ()

    class DevkitBuilder(tfds.core.GeneratorBasedBuilder):
        """Any folder in devkit layout."""

        name = "yolojax_devkit"
        VERSION = tfds.core.Version("1.0.0")

        def _info(self) -> tfds.core.DatasetInfo:
            return tfds.core.DatasetInfo(builder=self, features=voc_features(self.builder_config.names))

        def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
            devkit = pathlib.Path(self.builder_config.folder)
            return {split: self._generate_examples(devkit, split) for split in devkit_splits(devkit)}

        def _generate_examples(self, devkit: pathlib.Path, split: str) -> Iterator[tuple[str, dict[str, Any]]]:
            return devkit_examples(
                read_split(devkit, split),
                lambda image_id: _read(_image_path(devkit, image_id)),
                lambda image_id: _read(devkit / "Annotations" / f"{image_id}.xml"),
                self.builder_config.names,
                f"{devkit} ({split})",
            )

    class ShapesBuilder(tfds.core.GeneratorBasedBuilder):
        """Drawn shapes on textured backgrounds (see `shapes`)."""

        name = "yolojax_shapes"
        VERSION = tfds.core.Version("1.0.0")

        def _info(self) -> tfds.core.DatasetInfo:
            return tfds.core.DatasetInfo(builder=self, features=voc_features(SHAPE_NAMES))

        def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
            return {split: self._generate_examples(split, count) for split, count in SHAPE_SPLITS.items()}

        def _generate_examples(self, split: str, count: int) -> Iterator[tuple[str, dict[str, Any]]]:
            for index in range(count):
                image, found = draw_sample(split, index)
                image_id = f"{split}_{index:04d}"
                yield image_id, example(encode_png(image), f"{image_id}.png", SIZE, SIZE, found)


def devkit_builder(folder: str, names: Sequence[str] | None, data_dir: str | None) -> DevkitBuilder:
    """The builder of a devkit folder. Its data is prepared anew when a list, an image or an annotation changes."""
    devkit = find_devkit(folder).resolve()
    splits = devkit_splits(devkit)
    if not splits:
        raise ValueError(f"{devkit}/ImageSets/Main: no train.txt, val.txt, trainval.txt or test.txt")
    ids = sorted({image_id for split in splits for image_id in read_split(devkit, split)})
    names = tuple(names) if names else read_names(devkit, ids)
    digest = hashlib.sha256(repr((str(devkit), names, _listing(devkit, ids))).encode()).hexdigest()[:16]
    config = DevkitConfig(name=digest, folder=str(devkit), names=names)
    return DevkitBuilder(config=config, data_dir=data_dir)


def devkit_splits(devkit: pathlib.Path) -> list[str]:
    """The splits that the folder lists."""
    return [split for split, name in SPLIT_FILES.items() if (devkit / "ImageSets" / "Main" / f"{name}.txt").is_file()]


def _listing(devkit: pathlib.Path, ids: Sequence[str]) -> list[tuple[Any, ...]]:
    paths = sorted((devkit / "ImageSets" / "Main").glob("*.txt"))
    paths += [devkit / "Annotations" / f"{image_id}.xml" for image_id in ids]
    paths += [_image_path(devkit, image_id) for image_id in ids]
    stats = [(str(path), path.stat()) for path in paths if path.is_file()]
    return [(path, stat.st_size, stat.st_mtime_ns) for path, stat in stats]


def _image_path(devkit: pathlib.Path, image_id: str) -> pathlib.Path:
    folder = devkit / "JPEGImages"
    candidates = [folder / f"{image_id}{suffix}" for suffix in (".jpg", ".jpeg", ".png")]
    return next((path for path in candidates if path.is_file()), candidates[0])


def _read(path: pathlib.Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None
