"""Encoded images to RGB arrays."""

import io
import os
import pathlib

import cv2
import numpy as np
from PIL import Image

ENDS = (b"\xff\xd9", b"IEND\xaeB`\x82")  # of a JPEG, of a PNG


def decode_image(data: bytes) -> np.ndarray | None:
    """(H, W, 3) uint8 RGB of a JPEG or PNG, grey and CMYK converted; None when it cannot be decoded.

    An EXIF orientation is ignored, as boxes refer to the stored pixels.
    """
    if not data:
        return None
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    return None if image is None else cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def image_size(data: bytes) -> tuple[int, int]:
    """Width and height of the stored pixels, from the header alone. Raises OSError when there is none."""
    with Image.open(io.BytesIO(data)) as image:
        return image.size


def is_whole(data: bytes) -> bool:
    """Whether the image has all its data; OpenCV fills what is missing with grey and says nothing."""
    if data.endswith(ENDS):
        return True
    # Some cameras write more after the image: then it has to be read to know.
    try:
        with Image.open(io.BytesIO(data)) as image:
            image.load()
    except (OSError, SyntaxError, ValueError):
        return False
    return True


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
