"""PASCAL VOC, prepared from the official tars without TensorFlow."""

import os
import pathlib
import tarfile
from collections.abc import Iterator, Sequence
from urllib.parse import urlparse

import tensorflow_datasets as tfds
from tensorflow_datasets.core.download.checksums import get_all_url_infos
from tensorflow_datasets.core.download.resource import get_dl_fname
from tensorflow_datasets.object_detection import voc as stock

from yolojax.data.annotations import Found
from yolojax.data.devkit_xml import parse_annotation
from yolojax.data.listing import Listing, examples
from yolojax.data.preparation import is_prepared, is_reachable
from yolojax.data.records import Example, dataset_info, recorded_counts

VOC_NAMES = tuple(stock._VOC_LABELS)


def builders(
    years: Sequence[str], argument: str, split: str, names: Sequence[str] | None, data_dir: str | None
) -> list[tfds.core.DatasetBuilder]:
    """The builders of these years; for the test split of 2007 alone, as 2012 has no public one.

    Raises ValueError at once when official tars are missing and cannot be fetched.
    """
    found = [VocBuilder(config=year, data_dir=data_dir) for year in years if split != "test" or year == "2007"]
    for builder in found:
        if not is_prepared(builder):
            check_downloads(builder)
    return found


class VocBuilder(stock.Voc, skip_registration=True):  # type: ignore[call-arg]
    """TFDS's `voc`, prepared from the official tars with `tarfile` in place of TensorFlow."""

    name = "voc"

    def _info(self) -> tfds.core.DatasetInfo:
        return dataset_info(self, VOC_NAMES, homepage=stock._VOC_URL.format(year=self.builder_config.year))

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator[tuple[str, Example]]]:
        paths = dl_manager.download({split: stock._VOC_DATA_URL + name for split, name in self.tars().items()})
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

    def _generate_examples(self, path: str, listed: str, split: str) -> Iterator[tuple[str, Example]]:
        with tarfile.open(path) as tar, recorded_counts(self, split) as counts:
            yield from examples(list_tar(tar, path, self.builder_config.year, listed), counts)


def list_tar(tar: tarfile.TarFile, path: str, year: str, listed: str) -> Listing:
    """The images that ImageSets/Main/`listed`.txt of the official tar at `path` lists."""
    members = {member.name: member for member in tar}
    root = f"VOCdevkit/VOC{year}"

    def read(name: str) -> bytes | None:
        member = members.get(f"{root}/{name}")
        file = tar.extractfile(member) if member else None
        return file.read() if file else None

    def read_objects(image_id: str, width: int, height: int) -> list[Found] | None:
        xml = read(f"Annotations/{image_id}.xml")
        return None if xml is None else parse_annotation(xml, f"VOC{year} ({listed}): {image_id}.xml")[2]

    ids = read(f"ImageSets/Main/{listed}.txt")
    if ids is None:
        raise ValueError(f"{path}: no {root}/ImageSets/Main/{listed}.txt in it, expected the official tar")
    return Listing(
        source=f"VOC{year}",
        split=listed,
        names=VOC_NAMES,
        image_ids=[line.split()[0] for line in ids.decode().splitlines() if line.strip()],
        read_image=lambda image_id: read(f"JPEGImages/{image_id}.jpg"),
        read_objects=read_objects,
    )


def check_downloads(builder: VocBuilder) -> None:
    """Raises ValueError at once when tars are missing and cannot be fetched; TFDS would try for minutes."""
    downloads = pathlib.Path(builder._data_dir_root) / "downloads"
    missing = [name for name in builder.tars().values() if not _is_here(builder, downloads, name)]
    if missing and not is_reachable(stock._VOC_DATA_URL):
        raise ValueError(
            f"VOC{builder.builder_config.year} is not prepared in {builder._data_dir_root}, and "
            f"{urlparse(stock._VOC_DATA_URL).hostname} cannot be reached; put the official {' and '.join(missing)} "
            f"into {downloads / 'manual'}"
        )


def _is_here(builder: VocBuilder, downloads: pathlib.Path, name: str) -> bool:
    """Whether a tar was put there by hand, or downloaded by TFDS before."""
    url = stock._VOC_DATA_URL + name
    known = (get_all_url_infos() | (builder.url_infos or {})).get(url)
    cached = get_dl_fname(url, known.checksum) if known else name
    return (downloads / "manual" / name).exists() or any(downloads.rglob(cached))
