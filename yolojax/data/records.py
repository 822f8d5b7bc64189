"""Records with the features of TFDS's stock `voc`, made from encoded images and devkit annotations."""

import contextlib
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from yolojax.data.annotations import POSES, Counts, Found, clean_objects, parse_annotation
from yolojax.data.images import decode_image, is_whole

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


def example(image: bytes, filename: str, width: int, height: int, found: Sequence[Found]) -> dict[str, Any]:
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
    ids: Iterable[str], read_image: Read, read_xml: Read, names: Sequence[str], source: str, counts: Counts
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The usable records of a split; what is not usable is counted (see `annotations`)."""
    used = 0
    for image_id in ids:
        data, xml = read_image(image_id), read_xml(image_id)
        if data is None or xml is None:
            counts["listed images missing, or without an annotation, skipped"] += 1
            continue
        size = _usable_size(data)
        if size is None:
            counts["images that cannot be decoded skipped"] += 1
            continue
        width, height = size
        _, _, found = parse_annotation(xml, f"{source}: {image_id}.xml")
        found = clean_objects(found, width, height, names, counts)
        used += 1
        yield image_id, example(data, f"{image_id}.jpg", width, height, found)
    if not used:
        raise ValueError(f"{source}: no usable image ({counts or 'none is listed'})")


def _usable_size(data: bytes) -> tuple[int, int] | None:
    """Width and height of an image that can be decoded whole; None for another."""
    image = decode_image(data) if is_whole(data) else None
    return None if image is None else (image.shape[1], image.shape[0])


def dataset_info(builder: Any, names: Sequence[str], **about: str) -> tfds.core.DatasetInfo:
    """What TFDS keeps of a data set: features, and as metadata what was dropped from each split, as text."""
    metadata = tfds.core.MetadataDict()
    return tfds.core.DatasetInfo(builder=builder, features=voc_features(names), metadata=metadata, **about)


@contextlib.contextmanager
def recorded_counts(builder: Any, split: str) -> Iterator[Counts]:
    """Counts of a split, kept in the builder's metadata at the end."""
    counts = Counts()
    yield counts
    builder.info.metadata[split] = str(counts)
