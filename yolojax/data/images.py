"""Encoded images to RGB arrays."""

import os
import pathlib

import cv2
import numpy as np


def decode_image(data: bytes) -> np.ndarray | None:
    """(H, W, 3) uint8 RGB of a JPEG or PNG, grey and CMYK converted; None when it cannot be decoded.

    An EXIF orientation is ignored, as boxes refer to the stored pixels.
    """
    if not data:
        return None
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    return None if image is None else cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def read_image(path: str | os.PathLike[str]) -> np.ndarray:
    """The image in a file, (H, W, 3) uint8 RGB. Raises ValueError when it is none."""
    if not pathlib.Path(path).is_file():
        raise ValueError(f"{path}: no such image file")
    image = decode_image(pathlib.Path(path).read_bytes())
    if image is None:
        raise ValueError(f"{path}: cannot be decoded, expected a JPEG or PNG image")
    return image


def encode_png(image: np.ndarray) -> bytes:
    """(H, W, 3) uint8 RGB as PNG."""
    ok, data = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    assert ok
    return bytes(data)
