"""A generated detection task: circles, squares, triangles and crosses on textured backgrounds.

Integer arithmetic on NumPy's seeded generator, so the pixels are the same on every machine.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow_datasets as tfds
from jaxtyping import Bool, UInt8

from yolojax.data.annotations import Found
from yolojax.data.images import encode_png
from yolojax.data.records import Example, dataset_info, example

SHAPE_NAMES = ("circle", "square", "triangle", "cross")
SHAPE_SPLITS = {"train": 1000, "validation": 200, "test": 200}
SIZE = 160
RADII = (7, 40)
MAX_OBJECTS = 6
VISIBLE_PERCENT = 60


def builders(
    argument: str, split: str, names: Sequence[str] | None, data_dir: str | None
) -> list[tfds.core.DatasetBuilder]:
    """The builder of all splits; its classes are `SHAPE_NAMES`."""
    return [ShapesBuilder(data_dir=data_dir)]


class ShapesBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):  # type: ignore[call-arg]
    """Draws the splits once, as PNG."""

    name = "yolojax_shapes"
    VERSION = tfds.core.Version("1.0.0")

    def _info(self) -> tfds.core.DatasetInfo:
        return dataset_info(self, SHAPE_NAMES)

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator[tuple[str, Example]]]:
        return {split: self._generate_examples(split, count) for split, count in SHAPE_SPLITS.items()}

    def _generate_examples(self, split: str, count: int) -> Iterator[tuple[str, Example]]:
        for index in range(count):
            image, found = draw_sample(split, index)
            image_id = f"{split}_{index:04d}"
            yield image_id, example(encode_png(image), f"{image_id}.png", SIZE, SIZE, found)


def draw_sample(split: str, index: int) -> tuple[UInt8[np.ndarray, "160 160 3"], list[Found]]:
    """The RGB image `index` of a split, and the shapes in it.

    A later shape may cover earlier ones, of each of which at least 60% stays visible; boxes are of whole shapes.
    """
    rng = np.random.default_rng([list(SHAPE_SPLITS).index(split), index])
    image = _texture(rng, contrast=60)
    found: list[Found] = []
    whole: list[int] = []  # pixels of each shape
    visible: list[np.ndarray] = []
    for _ in range(rng.integers(1, MAX_OBJECTS + 1)):
        label = int(rng.integers(len(SHAPE_NAMES)))
        shape, texture = _shape(rng, label), _texture(rng, contrast=30)
        left = [mask & ~shape for mask in visible]
        if any(100 * mask.sum() < VISIBLE_PERCENT * area for mask, area in zip(left, whole, strict=True)):
            continue
        visible, whole = [*left, shape], [*whole, int(shape.sum())]
        found.append(Found(SHAPE_NAMES[label], _box(shape)))
        image[shape] = texture[shape]
    return image, found


def _texture(rng: np.random.Generator, contrast: int) -> UInt8[np.ndarray, "160 160 3"]:
    """A colour with coarse and fine blocks of noise."""
    image = np.broadcast_to(rng.integers(0, 256, (1, 1, 3)), (SIZE, SIZE, 3))
    for block in (20, 4):
        cells = rng.integers(-contrast, contrast + 1, (SIZE // block, SIZE // block, 3)) // 2
        image = image + cells.repeat(block, axis=0).repeat(block, axis=1)
    return np.clip(image, 0, 255).astype(np.uint8)


def _shape(rng: np.random.Generator, label: int) -> Bool[np.ndarray, "160 160"]:
    """The pixels of a shape of random place, size and aspect, which lies inside the image."""
    radius = int(rng.integers(RADII[0], RADII[1] + 1))
    rx = int(np.clip(radius * rng.integers(70, 141) // 100, RADII[0], RADII[1]))
    x, y = (int(rng.integers(r + 1, SIZE - r - 1)) for r in (rx, radius))
    dy, dx = np.ogrid[:SIZE, :SIZE]
    dx, dy = (dx - x) * radius, (dy - y) * rx  # both in 1 / (rx * radius)
    unit = rx * radius
    inside = (np.abs(dx) <= unit) & (np.abs(dy) <= unit)
    match SHAPE_NAMES[label]:
        case "circle":
            return dx * dx + dy * dy <= unit * unit
        case "square":
            return inside
        case "triangle":
            return inside & (2 * np.abs(dx) <= dy + unit)
        case _:
            return inside & ((3 * np.abs(dx) <= unit) | (3 * np.abs(dy) <= unit))


def _box(mask: Bool[np.ndarray, "160 160"]) -> tuple[float, float, float, float]:
    """xmin, ymin, xmax, ymax in 1-based pixels."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return float(columns[0] + 1), float(rows[0] + 1), float(columns[-1] + 1), float(rows[-1] + 1)
