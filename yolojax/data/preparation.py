"""Prepared data, which TFDS makes where it is missing."""

import contextlib
import io
import pathlib
import socket
import urllib.request
from collections.abc import Iterator
from urllib.parse import urlparse

import tensorflow_datasets as tfds
from absl import logging
from tensorflow_datasets.core.download.download_manager import NonMatchingChecksumError

from yolojax.progress import on_terminal

CONNECT_SECONDS = 3


def prepare(builder: tfds.core.DatasetBuilder) -> tfds.core.DatasetBuilder:
    """The builder, once its data is on the disk: in array_record files, or in whatever format it was prepared before.

    Raises ValueError for what a user can mend: data that cannot be read, or a download that is damaged.
    """
    if is_prepared(builder):
        return builder
    logging.info("preparing %s in %s", builder.name, builder.data_dir)
    config = tfds.download.DownloadConfig(compute_stats=tfds.download.ComputeStatsMode.SKIP)
    try:
        with _user_errors(), _quiet():
            builder.download_and_prepare(file_format="array_record", download_config=config)
    except OSError:
        # Another process prepared the same data meanwhile, and moved it into place first.
        if not is_prepared(builder):
            raise
        builder.info.read_from_directory(builder.data_dir)
    return builder


def is_prepared(builder: tfds.core.DatasetBuilder) -> bool:
    """Whether the builder's data is on the disk."""
    return (pathlib.Path(builder.data_dir) / "dataset_info.json").exists()


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
def _quiet() -> Iterator[None]:
    """Without what TFDS prints of folders; its bars are for a terminal."""
    tfds.display_progress_bar(on_terminal())
    with contextlib.redirect_stdout(io.StringIO()):
        yield


@contextlib.contextmanager
def _user_errors() -> Iterator[None]:
    """Raises a generator's ValueError as it was, without TFDS's wrapping, and a wrong checksum as a ValueError."""
    try:
        yield
    except RuntimeError as error:
        if isinstance(error.__cause__, ValueError):
            raise error.__cause__ from None
        raise
    except NonMatchingChecksumError as error:
        what = " ".join(str(error).split())
        raise ValueError(f"{what.split(' To debug')[0]}; fetch the official file again") from None
