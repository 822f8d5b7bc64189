"""Data sets through TFDS, and batches of them through Grain."""

from yolojax.data.annotations import Annotation, AnnotationError, Found
from yolojax.data.augment import AugmentConfig, augment
from yolojax.data.datasets import Dataset, box_sizes, class_names, hold_out, open_dataset
from yolojax.data.devkit import read_annotations
from yolojax.data.folders import image_ids
from yolojax.data.images import decode_image, encode_png, read_image
from yolojax.data.listing import Listing, listing_builder
from yolojax.data.pipeline import Batch, eval_batches, train_batches
from yolojax.data.records import Records
from yolojax.data.sources import SOURCES, Source, check_source, describe_sources, find_splits, has_labels
from yolojax.data.splits import split_name
from yolojax.data.unlabelled import SAME_IN_EVERY_SPLIT, list_pictures

__all__ = [
    "SAME_IN_EVERY_SPLIT",
    "SOURCES",
    "Annotation",
    "AnnotationError",
    "AugmentConfig",
    "Batch",
    "Dataset",
    "Found",
    "Listing",
    "Records",
    "Source",
    "augment",
    "box_sizes",
    "check_source",
    "class_names",
    "decode_image",
    "describe_sources",
    "encode_png",
    "eval_batches",
    "find_splits",
    "has_labels",
    "hold_out",
    "image_ids",
    "list_pictures",
    "listing_builder",
    "open_dataset",
    "read_annotations",
    "read_image",
    "split_name",
    "train_batches",
]
