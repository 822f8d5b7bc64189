"""A split of a user's own files: what a format says of it, and the TFDS builder that prepares any of them."""

import dataclasses
import hashlib
import pathlib
from collections.abc import Callable, Iterator, Sequence

import tensorflow_datasets as tfds

from yolojax import darknet
from yolojax.data.annotations import Counts, Found, clean_objects
from yolojax.data.images import decode_image, is_whole
from yolojax.data.records import Example, dataset_info, example, recorded_counts


@dataclasses.dataclass(frozen=True)
class Listing:
    """The images of one split.

    Attributes:
      source: the folder or file that they come from, as messages and the fingerprint name it.
      split: `train`, `validation`, `trainval` or `test`.
      names: the classes in their order.
      image_ids: the images' names without suffix, each once.
      read_image: image id -> the encoded JPEG or PNG; None where it is missing.
      read_objects: image id, width and height of the image in pixels -> its objects; None where there is no annotation.
        Raises AnnotationError, with the file, for an annotation that cannot be read.
      files: the split is prepared again when the size or time of one of them changes.
    """

    source: str
    split: str
    names: tuple[str, ...]
    image_ids: Sequence[str]
    read_image: Callable[[str], bytes | None]
    read_objects: Callable[[str, int, int], Sequence[Found] | None]
    files: Sequence[pathlib.Path] = ()

    def __str__(self) -> str:
        return f"{self.source} ({self.split})"


def examples(listing: Listing, counts: Counts) -> Iterator[tuple[str, Example]]:
    """The usable images by their id; what is not usable is counted (see `annotations`).

    Raises ValueError when no image is usable.
    """
    used = 0
    for image_id in listing.image_ids:
        data = listing.read_image(image_id)
        if data is None:
            counts["listed images missing, or without an annotation, skipped"] += 1
            continue
        size = _usable_size(data)
        if size is None:
            counts.skip_image(image_id)
            continue
        found = listing.read_objects(image_id, *size)
        if found is None:
            counts["listed images missing, or without an annotation, skipped"] += 1
            continue
        used += 1
        yield image_id, example(data, f"{image_id}.jpg", *size, clean_objects(found, *size, listing.names, counts))
    if not used:
        raise ValueError(f"{listing}: no usable image ({counts or 'it lists no image'})")


def _usable_size(data: bytes) -> tuple[int, int] | None:
    """Width and height of an image that can be decoded whole; None for another."""
    image = decode_image(data) if is_whole(data) else None
    return None if image is None else (image.shape[1], image.shape[0])


def listing_builder(kind: str, listing: Listing, data_dir: str | None) -> tfds.core.DatasetBuilder:
    """The TFDS builder of a split; it keeps what it prepares in `data_dir`/yolojax_KIND/FINGERPRINT.

    The fingerprint covers the names and the list of images, and each file's name, size and time. Raises ValueError for
    a class name that a `.names` file cannot hold.
    """
    for name in listing.names:
        darknet.check_name(name, str(listing))
    stats = [(path.name, path.stat()) for path in listing.files if path.is_file()]
    files = [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]
    content = (listing.source, listing.split, tuple(listing.names), list(listing.image_ids), files)
    fingerprint = hashlib.sha256(repr(content).encode()).hexdigest()[:16]
    return ListingBuilder(config=ListingConfig(name=fingerprint, kind=kind, listing=listing), data_dir=data_dir)


@dataclasses.dataclass(kw_only=True)
class ListingConfig(tfds.core.BuilderConfig):
    """What a `ListingBuilder` prepares; its name is the fingerprint."""

    kind: str
    listing: Listing = dataclasses.field(repr=False)  # TFDS logs the config, and this may list thousands of files


class ListingBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):  # type: ignore[call-arg]
    """Prepares the images of a `Listing`."""

    VERSION = tfds.core.Version("1.1.0")  # 1.0.0 kept no classes

    def __init__(self, *, config: ListingConfig, data_dir: str | None = None, version: str | None = None):
        self.name = f"yolojax_{config.kind}"
        self._config = config
        super().__init__(config=config, data_dir=data_dir, version=version)

    def get_builder_config(self, name: str, version: str | None = None) -> ListingConfig:
        """The config itself: TFDS warns of one that is not of the class, and here each builder has its own."""
        return self._config

    def _info(self) -> tfds.core.DatasetInfo:
        return dataset_info(self, self.builder_config.listing.names)

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator[tuple[str, Example]]]:
        return {self.builder_config.listing.split: self._generate_examples()}

    def _generate_examples(self) -> Iterator[tuple[str, Example]]:
        listing = self.builder_config.listing
        with recorded_counts(self, listing.split) as counts:
            yield from examples(listing, counts)


def read_if_there(path: pathlib.Path, limit: int) -> bytes | None:
    """The bytes of a file; None where it is missing.

    A file of more than `limit` bytes is cut just after them, so that its reader refuses it.
    """
    if not path.is_file():
        return None
    with open(path, "rb") as file:
        return file.read(min(path.stat().st_size, limit) + 1)
