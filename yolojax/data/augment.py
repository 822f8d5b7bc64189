"""Darknet's augmentation (`load_data_detection` of YOLOv2's time): a jittered crop, a flip, and a shift of colours."""

import dataclasses

import cv2
import numpy as np
from jaxtyping import Float32, Shaped, UInt8

SMALLEST_SIDE = 0.001  # of the view


@dataclasses.dataclass(frozen=True)
class AugmentConfig:
    """How much an image may change: `jitter` is a share of its sides, `hue` a share of the colour circle,
    `saturation` and `exposure` the largest factors; `flip` mirrors half of the images."""

    jitter: float = 0.2
    hue: float = 0.1
    saturation: float = 1.5
    exposure: float = 1.5
    flip: bool = True


def augment(
    image: UInt8[np.ndarray, "height width 3"],
    truth: Float32[np.ndarray, "objects 5"],
    size: int,
    config: AugmentConfig,
    rng: np.random.Generator,
) -> tuple[UInt8[np.ndarray, "{size} {size} 3"], Float32[np.ndarray, "kept 5"]]:
    """A random view of an image and its truth, as Darknet's `load_data_detection` makes it.

    Args:
      image: RGB.
      truth: centre x, y, width, height relative to the image, class.
      size: the side of the result, in pixels.
      config: how much of each change.
      rng: decides all of it.

    Returns:
      The view, and its boxes in another order: clipped to the view, dropped where under 0.001 of a side is left.
    """
    height, width = image.shape[:2]
    jitter = np.trunc(np.array([width, height, width, height]) * config.jitter)
    left, top, right, bottom = np.trunc(rng.uniform(-jitter, jitter))
    flip = config.flip and bool(rng.integers(2))
    view = crop_resize(image, left, top, width - left - right, height - top - bottom, size)
    origin = np.array([left / width, top / height])
    extent = np.array([(width - left - right) / width, (height - top - bottom) / height])
    truth = move_boxes(truth, origin, extent)
    if flip:
        view = view[:, ::-1]
        truth = np.concatenate([1 - truth[:, :1], truth[:, 1:]], axis=1)
    hue = rng.uniform(-config.hue, config.hue)
    view = distort(view, hue, _factor(config.saturation, rng), _factor(config.exposure, rng))
    return view, rng.permutation(truth)


def crop_resize(
    image: UInt8[np.ndarray, "rows columns 3"], left: float, top: float, width: float, height: float, size: int
) -> UInt8[np.ndarray, "{size} {size} 3"]:
    """A window of the image, in pixels, stretched to a square, bilinear; beyond the image, the pixels of its edge."""
    scale = np.array([width / size, height / size])
    # Pixel centres of the view, in pixels of the image.
    shift = np.array([left, top]) + scale / 2 - 0.5
    matrix = np.array([[scale[0], 0, shift[0]], [0, scale[1], shift[1]]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(image, matrix, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE)


def move_boxes(
    truth: Float32[np.ndarray, "objects 5"], origin: Shaped[np.ndarray, "2"], extent: Shaped[np.ndarray, "2"]
) -> Float32[np.ndarray, "kept 5"]:
    """The truth as seen in the window at `origin` (x, y) of size `extent` (width, height), relative to the image.

    Boxes are clipped to the window, and dropped where under 0.001 of one of its sides is left.
    """
    low = np.clip((truth[:, :2] - truth[:, 2:4] / 2 - origin) / extent, 0, 1)
    high = np.clip((truth[:, :2] + truth[:, 2:4] / 2 - origin) / extent, 0, 1)
    moved = np.concatenate([(low + high) / 2, high - low, truth[:, 4:]], axis=1).astype(np.float32)
    return moved[np.all(moved[:, 2:4] >= SMALLEST_SIDE, axis=1)]


def distort(
    image: UInt8[np.ndarray, "height width 3"], hue: float, saturation: float, exposure: float
) -> UInt8[np.ndarray, "height width 3"]:
    """The RGB image with its hue shifted (1 is the whole circle), its saturation and value (exposure) multiplied.

    As in Darknet's `distort_image`, only the resulting RGB is clipped.
    """
    hsv = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2HSV)
    change = np.array([[1, 0, 0, 360 * hue], [0, saturation, 0, 0], [0, 0, exposure, 0]], np.float32)
    rgb = cv2.cvtColor(cv2.transform(hsv, change), cv2.COLOR_HSV2RGB)  # takes any hue modulo 360
    return cv2.addWeighted(rgb, 255, rgb, 0, 0, dtype=cv2.CV_8U)  # rounds and clips in one pass


def _factor(largest: float, rng: np.random.Generator) -> float:
    """A factor as from Darknet's `rand_scale`: uniform in 1..largest, or one over that."""
    factor = rng.uniform(1, largest)
    return factor if rng.integers(2) else 1 / factor
