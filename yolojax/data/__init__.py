"""Data sets through TFDS, and batches of them through Grain."""

from yolojax.data.annotations import Annotation, AnnotationError, read_annotations
from yolojax.data.augment import AugmentConfig, augment
from yolojax.data.datasets import Dataset, box_sizes, open_dataset
from yolojax.data.images import decode_image, encode_png, read_image
from yolojax.data.pipeline import eval_batches, train_batches

__all__ = [
    "Annotation",
    "AnnotationError",
    "AugmentConfig",
    "Dataset",
    "augment",
    "box_sizes",
    "decode_image",
    "encode_png",
    "eval_batches",
    "open_dataset",
    "read_annotations",
    "read_image",
    "train_batches",
]
