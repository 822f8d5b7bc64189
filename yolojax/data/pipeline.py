"""Batches with Grain: shuffled and augmented for training, in order and padded for evaluation.

A global batch holds the same samples whatever the number of processes: records are shuffled and augmented as one
endless sequence, of which each process takes every `process_count`-th.
"""

import dataclasses
from collections.abc import Iterator, Sequence

import cv2
import grain
import numpy as np
from absl import logging
from jaxtyping import Float32, UInt8

from yolojax.data.annotations import Annotation
from yolojax.data.augment import AugmentConfig
from yolojax.data.augment import augment as augment_sample
from yolojax.data.datasets import Dataset, decode_record_image, to_annotation
from yolojax.data.records import Records

BATCHES_PER_SIZE = 10
# By leaf, such as `image`; the first axis is the image.
Batch = dict[str, np.ndarray]
Sample = dict[str, np.ndarray | np.generic]


def train_batches(
    dataset: Dataset,
    *,
    batch_size: int,
    sizes: Sequence[int],
    seed: int,
    max_boxes: int = 50,
    augment: AugmentConfig | None = None,
    process_index: int = 0,
    process_count: int = 1,
    threads: int = 2,
    prefetch: int = 4,
) -> grain.DatasetIterator[Batch]:
    """Endless batches of this process's share, in a new order each epoch.

    Args:
      dataset: the training split.
      batch_size: over all processes; a multiple of `process_count`.
      sizes: image sizes in pixels; as in Darknet, each 10 batches take one of them at random.
      seed: of the order, the sizes and the augmentation.
      max_boxes: rows of the truth. An image with more objects keeps this many, at random if it is augmented.
      augment: how much an image may change; None only resizes it.
      process_index: the number of this process, from 0.
      process_count: how many processes share a batch.
      threads: how many threads decode and augment.
      prefetch: how many batches are made ahead.

    Returns:
      An iterator with `get_state` and `set_state`; b is batch_size / process_count, S one of `sizes`. Each batch has
      `image` (b, S, S, 3) uint8 RGB; `truth` (b, max_boxes, 5) float32, centre x, y, width, height relative to the
      image and the class, padded with rows of zeros; `index` (b,) int64, of the records.

    Raises:
      ValueError: no size, or a batch that the processes cannot share evenly.
    """
    share = _share(batch_size, process_count)
    if not sizes:
        raise ValueError("sizes is empty, expected at least one")
    if dataset.labelled:  # of others each file would be read for nothing
        _log_crowded(dataset, max_boxes)
    samples = (
        grain.MapDataset.range(len(dataset))
        .seed(seed)
        .shuffle()
        .repeat()
        .map_with_index(_Sized(tuple(sizes), batch_size, seed))
        .random_map(_TrainSample(dataset.source, max_boxes, augment))
    )
    batches = samples[process_index::process_count].batch(share, drop_remainder=True)
    return _iterate(batches, threads, prefetch)


def eval_batches(
    dataset: Dataset,
    *,
    batch_size: int,
    size: int,
    process_index: int = 0,
    process_count: int = 1,
    threads: int = 2,
) -> Iterator[Batch]:
    """Every image once, in order, stretched to `size`; each process gives the same number of batches.

    A batch has `image` (b, size, size, 3) uint8 RGB, `index` (b,) int32 of the records, and `valid` (b,) bool, False
    for padding; b is batch_size / process_count. Raises ValueError when the processes cannot share a batch evenly.
    """
    share = _share(batch_size, process_count)
    count = -(-len(dataset) // batch_size) * batch_size
    samples = grain.MapDataset.range(count).map(_EvalSample(dataset.source, size))
    return _iterate(samples[process_index::process_count].batch(share), threads, 4)


def _share(batch_size: int, process_count: int) -> int:
    """How many images of a batch each process makes."""
    if batch_size <= 0 or batch_size % process_count:
        raise ValueError(f"batch_size {batch_size}, expected a multiple of the {process_count} process(es)")
    return batch_size // process_count


def _log_crowded(dataset: Dataset, max_boxes: int) -> None:
    """Warns in one line when images have more objects than the truth has rows."""
    counts = [len(dataset.source[i]["objects"]["label"]) for i in range(len(dataset))]
    over = [count - max_boxes for count in counts if count > max_boxes]
    if over:
        logging.warning(
            "%s: %d images have more than %d objects; %d are dropped each time",
            dataset.description,
            len(over),
            max_boxes,
            sum(over),
        )


def _iterate(batches: grain.MapDataset[Batch], threads: int, prefetch: int) -> grain.DatasetIterator[Batch]:
    """Starts the threads that make batches ahead."""
    # These threads are the parallelism; OpenCV's own would compete with them.
    cv2.setNumThreads(1)
    return iter(batches.to_iter_dataset(grain.ReadOptions(num_threads=threads, prefetch_buffer_size=prefetch)))


@dataclasses.dataclass(frozen=True)
class _Sized:
    """Adds the image size of its batch to a record's index."""

    sizes: tuple[int, ...]
    batch_size: int
    seed: int

    def __call__(self, position: int, index: int) -> tuple[int, int]:
        phase = position // self.batch_size // BATCHES_PER_SIZE
        choice = np.random.default_rng([self.seed, phase]).integers(len(self.sizes))
        return int(index), self.sizes[choice]


@dataclasses.dataclass(frozen=True)
class _TrainSample(grain.transforms.RandomMap):
    """Makes a sample of a record index and an image size."""

    source: Records
    max_boxes: int
    augment: AugmentConfig | None

    def random_map(self, element: tuple[int, int], rng: np.random.Generator) -> Sample:
        index, size = element
        record = self.source[index]
        image = decode_record_image(record)
        boxes = relative_truth(to_annotation(record, (image.shape[1], image.shape[0])))
        if self.augment is None:
            image = resize(image, size)
        else:
            image, boxes = augment_sample(image, boxes, size, self.augment, rng)
        truth = np.zeros((self.max_boxes, 5), np.float32)
        truth[: len(boxes)] = boxes[: self.max_boxes]
        return {"image": image, "truth": truth, "index": np.int64(index)}


@dataclasses.dataclass(frozen=True)
class _EvalSample(grain.transforms.Map):
    """Makes a sample of a position; positions after the last record are padding."""

    source: Records
    size: int

    def map(self, position: int) -> Sample:
        valid = position < len(self.source)
        if valid:
            image = resize(decode_record_image(self.source[position]), self.size)
        else:
            image = np.zeros((self.size, self.size, 3), np.uint8)
        return {"image": image, "index": np.int32(position), "valid": np.bool_(valid)}


def relative_truth(annotation: Annotation) -> Float32[np.ndarray, "objects 5"]:
    """Centre x, y, width, height relative to the image, and class, as Darknet's voc_label.py computes them."""
    boxes = annotation.objects.boxes - 1
    size = np.array([annotation.width, annotation.height])
    centre, extent = (boxes[:, :2] + boxes[:, 2:]) / 2 / size, (boxes[:, 2:] - boxes[:, :2]) / size
    return np.concatenate([centre, extent, annotation.objects.labels[:, None]], axis=1).astype(np.float32)


def resize(image: UInt8[np.ndarray, "height width 3"], size: int) -> UInt8[np.ndarray, "{size} {size} 3"]:
    """The image stretched to a square, bilinear."""
    return cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR)
