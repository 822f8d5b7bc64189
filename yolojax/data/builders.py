"""TFDS builders that need no TensorFlow: VOC from the official tars, any devkit folder, and generated shapes.

All give the features of TFDS's stock `voc`, so the rest of the code does not know which one it has.
"""

import dataclasses
import hashlib
import os
import pathlib
import tarfile
from collections.abc import Iterator, Sequence
from typing import Any

import tensorflow_datasets as tfds
from tensorflow_datasets.object_detection import voc

from yolojax.data.annotations import MAX_BYTES, SPLIT_FILES, find_devkit, read_names, read_split, split_file
from yolojax.data.images import MAX_IMAGE_BYTES, encode_png
from yolojax.data.records import dataset_info, devkit_examples, example, recorded_counts
from yolojax.data.shapes import SHAPE_NAMES, SHAPE_SPLITS, SIZE, draw_sample

VOC_NAMES = voc._VOC_LABELS


with tfds.core.registered.skip_registration():

    class VocBuilder(voc.Voc):
        """TFDS's `voc`, prepared from the official tars with `tarfile` in place of TensorFlow."""

        name = "voc"

        def _info(self) -> tfds.core.DatasetInfo:
            return dataset_info(self, VOC_NAMES, homepage=voc._VOC_URL.format(year=self.builder_config.year))

        def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
            paths = dl_manager.download({split: voc._VOC_DATA_URL + name for split, name in self.tars().items()})
            splits = {"train": ("trainval", "train"), "validation": ("trainval", "val"), "test": ("test", "test")}
            return {
                split: self._generate_examples(os.fspath(paths[tar]), listed, split)
                for split, (tar, listed) in splits.items()
                if tar in paths
            }

        def tars(self) -> dict[str, str]:
            """The official files; VOC2012's test set has no public annotations and is left out."""
            names = dict(self.builder_config.filenames)
            if not self.builder_config.has_test_annotations:
                del names["test"]
            return names

        def _generate_examples(self, path: str, listed: str, split: str) -> Iterator[tuple[str, dict[str, Any]]]:
            root = f"VOCdevkit/VOC{self.builder_config.year}"
            with tarfile.open(path) as tar, recorded_counts(self, split) as counts:
                members = {member.name: member for member in tar}

                def read(name: str) -> bytes | None:
                    member = members.get(name)
                    file = tar.extractfile(member) if member else None
                    return file.read() if file else None

                ids = read(f"{root}/ImageSets/Main/{listed}.txt")
                if ids is None:
                    raise ValueError(f"{path}: no {root}/ImageSets/Main/{listed}.txt in it, expected the official tar")
                yield from devkit_examples(
                    [line.split()[0] for line in ids.decode().splitlines() if line.strip()],
                    lambda image_id: read(f"{root}/JPEGImages/{image_id}.jpg"),
                    lambda image_id: read(f"{root}/Annotations/{image_id}.xml"),
                    VOC_NAMES,
                    f"VOC{self.builder_config.year} {listed}",
                    counts,
                )

    @dataclasses.dataclass(kw_only=True)
    class DevkitConfig(tfds.core.BuilderConfig):
        """A split of a devkit folder; the config's name is a fingerprint of what it holds."""

        folder: str = ""
        split: str = ""
        names: tuple[str, ...] = ()

    class DevkitBuilder(tfds.core.GeneratorBasedBuilder):
        """A split of any folder in devkit layout."""

        name = "yolojax_devkit"
        VERSION = tfds.core.Version("1.0.0")

        def _info(self) -> tfds.core.DatasetInfo:
            return dataset_info(self, self.builder_config.names)

        def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
            return {self.builder_config.split: self._generate_examples()}

        def _generate_examples(self) -> Iterator[tuple[str, dict[str, Any]]]:
            devkit, split = pathlib.Path(self.builder_config.folder), self.builder_config.split
            with recorded_counts(self, split) as counts:
                yield from devkit_examples(
                    read_split(devkit, split),
                    lambda image_id: _read(_image_path(devkit, image_id), MAX_IMAGE_BYTES),
                    lambda image_id: _read(devkit / "Annotations" / f"{image_id}.xml", MAX_BYTES),
                    self.builder_config.names,
                    f"{devkit} ({split})",
                    counts,
                )

    class ShapesBuilder(tfds.core.GeneratorBasedBuilder):
        """Drawn shapes on textured backgrounds (see `shapes`)."""

        name = "yolojax_shapes"
        VERSION = tfds.core.Version("1.0.0")

        def _info(self) -> tfds.core.DatasetInfo:
            return dataset_info(self, SHAPE_NAMES)

        def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
            return {split: self._generate_examples(split, count) for split, count in SHAPE_SPLITS.items()}

        def _generate_examples(self, split: str, count: int) -> Iterator[tuple[str, dict[str, Any]]]:
            for index in range(count):
                image, found = draw_sample(split, index)
                image_id = f"{split}_{index:04d}"
                yield image_id, example(encode_png(image), f"{image_id}.png", SIZE, SIZE, found)


def devkit_builders(folder: str, split: str, names: Sequence[str] | None, data_dir: str | None) -> list[DevkitBuilder]:
    """The builder of a devkit folder's split; those of train and validation for a trainval that is not listed.

    A split is prepared by itself, and anew when its list, an image or an annotation changes.
    """
    devkit = find_devkit(pathlib.Path(folder).expanduser()).resolve()
    listed = [name for name in SPLIT_FILES if split_file(devkit, name).is_file()]
    ids = {name: read_split(devkit, name) for name in listed}
    if not names:
        names = read_names(devkit, sorted({image_id for part in ids.values() for image_id in part}))
    whole = split != "trainval" or "trainval" in listed
    builders = []
    for part in [split] if whole else ["train", "validation"]:
        if not ids.get(part):
            raise ValueError(f"{split_file(devkit, part)}: no such file, or it lists no image")
        content = (str(devkit), part, tuple(names), ids[part], _listing(devkit, ids[part]))
        digest = hashlib.sha256(repr(content).encode()).hexdigest()[:16]
        config = DevkitConfig(name=digest, folder=str(devkit), split=part, names=tuple(names))
        builders.append(DevkitBuilder(config=config, data_dir=data_dir))
    return builders


def _listing(devkit: pathlib.Path, ids: Sequence[str]) -> list[tuple[Any, ...]]:
    """Name, size and time of each file, which is quick; the content is not read."""
    paths = [devkit / "Annotations" / f"{image_id}.xml" for image_id in ids]
    paths += [_image_path(devkit, image_id) for image_id in ids]
    stats = [(path.name, path.stat()) for path in paths if path.is_file()]
    return [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]


def _image_path(devkit: pathlib.Path, image_id: str) -> pathlib.Path:
    folder = devkit / "JPEGImages"
    candidates = [folder / f"{image_id}{suffix}" for suffix in (".jpg", ".jpeg", ".png")]
    return next((path for path in candidates if path.is_file()), candidates[0])


def _read(path: pathlib.Path, limit: int) -> bytes | None:
    """None for a file that is missing; one that is too long is cut just after `limit`, which its reader refuses."""
    if not path.is_file():
        return None
    with open(path, "rb") as file:
        return file.read(min(path.stat().st_size, limit) + 1)
