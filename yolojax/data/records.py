"""Records with the features of TFDS's stock `voc`, which every source gives."""

import contextlib
import io
from collections.abc import Iterator, Sequence
from typing import Protocol, TypedDict, runtime_checkable

import numpy as np
import tensorflow_datasets as tfds

from yolojax.data.annotations import POSES, Counts, Found

Example = dict[str, object]
"""A record as TFDS writes it."""


class RecordObjects(TypedDict):
    """The objects of a record, one row each."""

    bbox: np.ndarray  # (N, 4) float32: ymin, xmin, ymax, xmax, 1-based pixels over the image's size
    label: np.ndarray  # (N,) int64
    pose: np.ndarray  # (N,) int64
    is_truncated: np.ndarray  # (N,) bool
    is_difficult: np.ndarray  # (N,) bool


Record = TypedDict(
    "Record",
    {
        "image": bytes,  # encoded
        "image/filename": bytes,
        "objects": RecordObjects,
        "labels": np.ndarray,  # (classes in the image,) int64
        "labels_no_difficult": np.ndarray,
    },
)
"""A record as TFDS reads it back, its image still encoded."""


@runtime_checkable
class Records(Protocol):
    """Random access to records, as TFDS's data sources give it."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Record: ...


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


def example(image: bytes, filename: str, width: int, height: int, found: Sequence[Found]) -> Example:
    """A record for TFDS to write; boxes become 1-based pixels over the image's size, as in the stock builder."""
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


def dataset_info(builder: tfds.core.DatasetBuilder, names: Sequence[str], **about: str) -> tfds.core.DatasetInfo:
    """What TFDS keeps of a data set: its features and, as metadata, the counts of each split."""
    metadata = tfds.core.MetadataDict()
    return tfds.core.DatasetInfo(builder=builder, features=voc_features(names), metadata=metadata, **about)


@contextlib.contextmanager
def recorded_counts(builder: tfds.core.DatasetBuilder, split: str) -> Iterator[Counts]:
    """Counts of a split, which the builder's metadata keep when the split is done: as text, and {class: objects}."""
    counts = Counts()
    yield counts
    builder.info.metadata[split] = str(counts)
    builder.info.metadata[classes_key(split)] = dict(counts.classes)


def classes_key(split: str) -> str:
    """Under which a builder's metadata have {class: objects} of a split."""
    return f"{split} classes"
