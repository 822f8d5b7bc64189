"""What several tests share: a network that compiles in a second, and random trees and truths."""

import pathlib

import cv2
import jax
import numpy as np

from yolojax import darknet, network
from yolojax.network import Architecture, Convolutional, Maxpool, Net, Region, Reorg, Route


def small_architecture(size: int = 32, classes: int = 4) -> Architecture:
    """Every layer kind at stride 8."""

    def conv(filters: int, kernel: int) -> Convolutional:
        return Convolutional(filters, kernel, padding=kernel // 2, batch_normalize=True, activation="leaky")

    anchors = ((0.6, 0.6), (1.5, 1.5))
    return Architecture(
        Net(size, size),
        (
            conv(8, 3),
            Maxpool(2, 2, 1),
            conv(8, 3),
            Maxpool(2, 2, 1),
            conv(8, 1),
            Maxpool(2, 2, 1),
            conv(8, 3),
            Route((4,)),
            conv(4, 1),
            Reorg(2),
            Route((-1, 6)),
            conv(16, 3),
            Convolutional(len(anchors) * (5 + classes)),
            Region(anchors, classes, 1.0, 5.0, 1.0, 1.0, 0.6, True),
        ),
    )


def random_variables(architecture: Architecture, seed: int = 0) -> network.Variables:
    """Variables in which every leaf matters: no zero bias, no identity statistics."""
    rng = np.random.default_rng(seed)

    def leaf(path: tuple, value: jax.Array) -> np.ndarray:
        name = path[-1].key
        if name == "kernel":
            return np.asarray(value)
        low, high = {"bias": (-0.5, 0.5), "mean": (-0.5, 0.5), "scale": (0.5, 1.5), "var": (0.5, 2.0)}[name]
        return rng.uniform(low, high, value.shape).astype(np.float32)

    return jax.tree_util.tree_map_with_path(leaf, network.init(architecture, jax.random.key(seed)))


def save_network(folder: pathlib.Path, architecture: Architecture, *, seen: int = 0) -> None:
    """Writes m.cfg and m.weights of `random_variables`."""
    darknet.save(architecture, random_variables(architecture), folder / "m.cfg", folder / "m.weights", seen=seen)


def random_batch(rng: np.random.Generator, batch: int, size: int, classes: int = 4) -> dict[str, np.ndarray]:
    """uint8 images and one to three truths each, padded to five."""
    truth = np.zeros((batch, 5, 5), np.float32)
    for rows in truth:
        count = rng.integers(1, 4)
        rows[:count, :2] = rng.uniform(0.1, 0.9, (count, 2))
        rows[:count, 2:4] = rng.uniform(0.1, 0.5, (count, 2))
        rows[:count, 4] = rng.integers(0, classes, count)
    return {"image": rng.integers(0, 256, (batch, size, size, 3), dtype=np.uint8), "truth": truth}


def make_devkit(folder: pathlib.Path, count: int = 10, size: int = 64) -> pathlib.Path:
    """A devkit folder of `count` images with one or two filled squares; the first image has no object."""
    rng = np.random.default_rng(0)
    for name in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (folder / name).mkdir(parents=True)
    ids = [f"{i:06d}" for i in range(count)]
    for i, image_id in enumerate(ids):
        image = rng.integers(0, 60, (size, size + 8 * (i % 3), 3), dtype=np.uint8)
        objects = []
        for _ in range(min(i, 1 + i % 2)):
            left, top = rng.integers(1, size // 2, 2)
            side, label = rng.integers(size // 6, size // 3), int(rng.integers(2))
            cv2.rectangle(
                image, (left - 1, top - 1), (left + side - 1, top + side - 1), [(255, 0, 0), (0, 0, 255)][label], -1
            )
            objects.append(
                f"<object><name>{('blue', 'red')[label]}</name><difficult>0</difficult><bndbox><xmin>{left}</xmin>"
                f"<ymin>{top}</ymin><xmax>{left + side}</xmax><ymax>{top + side}</ymax></bndbox></object>"
            )
        cv2.imwrite(str(folder / "JPEGImages" / f"{image_id}.jpg"), image)
        shape = f"<size><width>{image.shape[1]}</width><height>{image.shape[0]}</height><depth>3</depth></size>"
        xml = f"<annotation><filename>{image_id}.jpg</filename>{shape}{''.join(objects)}</annotation>"
        (folder / "Annotations" / f"{image_id}.xml").write_text(xml)
    for split in ("train", "val", "trainval", "test"):
        (folder / "ImageSets/Main" / f"{split}.txt").write_text("".join(f"{i}\n" for i in ids))
    return folder
