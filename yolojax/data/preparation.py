"""Prepared data: made by TFDS where it is missing, said at once where that cannot work."""

import contextlib
import pathlib
import socket
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlparse

import tensorflow_datasets as tfds
from absl import logging
from tensorflow_datasets.core.download.checksums import get_all_url_infos
from tensorflow_datasets.core.download.download_manager import NonMatchingChecksumError
from tensorflow_datasets.core.download.resource import get_dl_fname
from tensorflow_datasets.object_detection import voc

from yolojax.data.builders import VocBuilder

CONNECT_SECONDS = 3


def prepare(builder: Any) -> Any:
    """The builder, with its data in array_record files unless it is there already, in whatever format.

    Raises ValueError for what a user can mend: the data itself, or official tars that are missing or damaged.
    """
    if is_prepared(builder):
        return builder
    if isinstance(builder, VocBuilder):
        check_downloads(builder)
    logging.info("preparing %s in %s", builder.name, builder.data_dir)
    config = tfds.download.DownloadConfig(compute_stats=tfds.download.ComputeStatsMode.SKIP)
    try:
        with _user_errors():
            builder.download_and_prepare(file_format="array_record", download_config=config)
    except OSError:
        # Another process prepared the same data meanwhile, and was the first to move it to its place.
        if not is_prepared(builder):
            raise
        builder.info.read_from_directory(builder.data_dir)
    return builder


def is_prepared(builder: Any) -> bool:
    """Whether the builder's data is there."""
    return (pathlib.Path(builder.data_dir) / "dataset_info.json").exists()


def check_downloads(builder: VocBuilder) -> None:
    """Raises ValueError at once when tars are missing and cannot be fetched; TFDS would try for minutes."""
    downloads = pathlib.Path(builder._data_dir_root) / "downloads"
    missing = [name for name in builder.tars().values() if not _is_here(builder, downloads, name)]
    if missing and not is_reachable(voc._VOC_DATA_URL):
        raise ValueError(
            f"VOC{builder.builder_config.year} is not prepared in {builder._data_dir_root}, and "
            f"{urlparse(voc._VOC_DATA_URL).hostname} cannot be reached; put the official {' and '.join(missing)} "
            f"into {downloads / 'manual'}"
        )


def _is_here(builder: VocBuilder, downloads: pathlib.Path, name: str) -> bool:
    """Whether a tar was put there by hand, or downloaded by TFDS before."""
    url = voc._VOC_DATA_URL + name
    known = (get_all_url_infos() | (builder.url_infos or {})).get(url)
    cached = get_dl_fname(url, known.checksum) if known else name
    return (downloads / "manual" / name).exists() or any(downloads.rglob(cached))


def is_reachable(url: str) -> bool:
    """Whether the host of `url`, or the proxy on the way to it, takes connections."""
    proxy = urllib.request.getproxies().get(urlparse(url).scheme)
    target = urlparse(url if not proxy else proxy if "//" in proxy else f"//{proxy}")
    port = target.port or (80 if target.scheme == "http" else 443)
    try:
        socket.create_connection((target.hostname or "", port), timeout=CONNECT_SECONDS).close()
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
    except NonMatchingChecksumError as error:
        what = " ".join(str(error).split())
        raise ValueError(f"{what.split(' To debug')[0]}; fetch the official file again") from None
