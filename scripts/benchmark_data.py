"""Images per second that the input pipeline makes on this machine, stage by stage, and what a GPU needs.

    python scripts/benchmark_data.py --data voc2007 --split trainval --size 416

The stages are those of `yolojax/data/pipeline.py`, each timed alone, in one thread and in two; last the whole pipeline
through Grain. `needs` is the rate at which the GPU takes images: --steps_per_second times --batch_size.
"""

import threading
import time
from collections.abc import Callable

import cv2
import numpy as np
from absl import app, flags

from yolojax import data
from yolojax.data import datasets, pipeline

DATA = flags.DEFINE_string("data", "shapes", f"{data.describe_sources()}.")
SPLIT = flags.DEFINE_string("split", "train", "Which part of it.")
DATA_DIR = flags.DEFINE_string("data_dir", None, "Where TFDS keeps prepared data.")
SIZE = flags.DEFINE_integer("size", 416, "Side of the images in a batch, in pixels.")
BATCH_SIZE = flags.DEFINE_integer("batch_size", 32, "Images of a batch.")
SECONDS = flags.DEFINE_float("seconds", 5.0, "How long each measurement takes.")
THREADS = flags.DEFINE_list("threads", ["1", "2"], "Numbers of threads to measure with.")
STEPS_PER_SECOND = flags.DEFINE_float("steps_per_second", 15.0, "Of the GPU to feed; an assumption.")


def main(_: list[str]) -> None:
    cv2.setNumThreads(1)  # as in the pipeline
    dataset = data.open_dataset(DATA.value, SPLIT.value, data_dir=DATA_DIR.value)
    threads = [int(count) for count in THREADS.value]
    sizes = [len(dataset.source[i]["image"]) for i in range(0, len(dataset), max(1, len(dataset) // 100))]
    height, width = dataset.image(0).shape[:2]
    print(f"{dataset.description}: first image {width}x{height}, {np.mean(sizes) / 1000:.0f} kB a file on average")
    print(f"to {SIZE.value}x{SIZE.value}, batch {BATCH_SIZE.value}; images per second\n")
    print("| stage | " + " | ".join(f"{count} thread{'s'[: count > 1]}" for count in threads) + " |")
    print("|---" * (1 + len(threads)) + "|")
    for name, step in stages(dataset).items():
        row(name, [rate(step, count) for count in threads])
    whole = [pipeline_rate(dataset, count) for count in threads]
    row("whole pipeline (Grain)", whole)
    needed = STEPS_PER_SECOND.value * BATCH_SIZE.value
    per_core = max(found / count for found, count in zip(whole, threads, strict=True))
    print(f"\nneeds: {STEPS_PER_SECOND.value:g} steps/s x {BATCH_SIZE.value} images = {needed:.0f} images/s,")
    print(f"which is {needed / per_core:.1f} cores at {per_core:.0f} images/s per core")


def row(name: str, rates: list[float]) -> None:
    """One line of the table."""
    print(f"| {name} | " + " | ".join(f"{found:.0f}" for found in rates) + " |", flush=True)


def stages(dataset: data.Dataset) -> dict[str, Callable[[int], int]]:
    """What happens to image `i`, stage by stage, each on the results of the one before; returns how many images."""
    count = min(len(dataset), 64)
    records = [dataset.source[i] for i in range(count)]
    images = [datasets.decode_record_image(record) for record in records]
    truths = [
        pipeline.relative_truth(datasets.to_annotation(record, image.shape[1::-1]))
        for record, image in zip(records, images, strict=True)
    ]
    config = data.AugmentConfig()
    batch = [np.zeros((SIZE.value, SIZE.value, 3), np.uint8)] * BATCH_SIZE.value

    def read(i: int) -> int:
        return len(dataset.source[i % len(dataset)]) and 1

    def decode(i: int) -> int:
        return datasets.decode_record_image(records[i % count]).ndim // 3

    def resize(i: int) -> int:
        return pipeline.resize(images[i % count], SIZE.value).ndim // 3

    def augment(i: int) -> int:
        return (
            data.augment(images[i % count], truths[i % count], SIZE.value, config, np.random.default_rng(i))[0].ndim
            // 3
        )

    def stack(i: int) -> int:
        return len(np.stack(batch))

    return {
        "read a record": read,
        "decode": decode,
        "resize (evaluation)": resize,
        "augment (training)": augment,
        "stack into a batch": stack,
    }


def rate(step: Callable[[int], int], threads: int) -> float:
    """Images per second of `step` in this many threads."""
    totals, end = [0] * threads, time.monotonic() + SECONDS.value

    def work(which: int) -> None:
        i = which
        while time.monotonic() < end:
            totals[which] += step(i)
            i += threads

    start = time.monotonic()
    workers = [threading.Thread(target=work, args=(which,)) for which in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(totals) / (time.monotonic() - start)


def pipeline_rate(dataset: data.Dataset, threads: int) -> float:
    """Images per second of `data.train_batches` with this many threads."""
    batches = data.train_batches(
        dataset,
        batch_size=BATCH_SIZE.value,
        sizes=(SIZE.value,),
        seed=0,
        augment=data.AugmentConfig(),
        threads=threads,
    )
    for _ in range(6):  # what was made ahead
        next(batches)
    count, start = 0, time.monotonic()
    while time.monotonic() - start < SECONDS.value:
        count += len(next(batches)["image"])
    return count / (time.monotonic() - start)


if __name__ == "__main__":
    app.run(main)
