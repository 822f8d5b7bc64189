"""Reads encoded images as RGB arrays."""

import io
import pathlib

import cv2
import numpy as np
from jaxtyping import UInt8
from PIL import Image

from yolojax.files import Path, read_bytes

PNG = b"\x89PNG\r\n\x1a\n"
JPEG = b"\xff\xd8\xff"
ENDS = (b"\xff\xd9", b"IEND\xaeB`\x82")  # of a JPEG, of a PNG
NOT_WHOLE = "cannot be decoded to its end, expected a JPEG or PNG image"
MAX_IMAGE_BYTES = 1 << 28
MAX_PIXELS = 80_000_000  # 240 MB decoded; Pillow warns from 89 million on
# Each scan of a progressive JPEG takes a few bytes and goes over all pixels.
MAX_PIXEL_SCANS = 2_000_000_000
START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
ALONE = frozenset((0x01, *range(0xD0, 0xD9)))  # JPEG markers without a length


def decode_image(data: bytes) -> UInt8[np.ndarray, "height width 3"] | None:
    """The RGB image in a JPEG or PNG, grey and CMYK converted.

    None when the data cannot be decoded, or would take too much memory or time (`MAX_IMAGE_BYTES`, `MAX_PIXELS`). An
    EXIF orientation is ignored, as boxes refer to the stored pixels.
    """
    if _refusal(data):
        return None
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        return None
    return None if image is None else cv2.cvtColor(image, cv2.COLOR_BGR2RGB, dst=image)


def image_size(data: bytes) -> tuple[int, int]:
    """Width and height of the stored pixels, from the header alone.

    Raises OSError when the data does not begin with the header of a JPEG or PNG.
    """
    if data.startswith(PNG) and data[12:16] == b"IHDR" and len(data) >= 24:
        return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    if data.startswith(JPEG) and (frame := _jpeg_frame(data)):
        return int.from_bytes(frame[3:5], "big"), int.from_bytes(frame[1:3], "big")
    raise OSError("no header of a JPEG or PNG image")


def _jpeg_frame(data: bytes) -> bytes:
    """Precision, height and width in the first frame header, 5 bytes; fewer when no frame header is found."""
    at = 2
    while (at := data.find(b"\xff", at)) >= 0:
        while data[at : at + 1] == b"\xff":
            at += 1
        marker, length = data[at : at + 1], int.from_bytes(data[at + 1 : at + 3], "big")
        if not marker:
            break
        at += 1
        if marker[0] in START_OF_FRAME:
            frame = data[at + 2 : at + 7]
            return frame if len(frame) == 5 else b""
        if marker[0] and marker[0] not in ALONE:
            at += length
    return b""


def _has_all_chunks(png: bytes) -> bool:
    """Whether each chunk ends within the data, up to IEND. OpenCV would take the memory that a chunk claims to need."""
    at, kind = len(PNG), b""
    while at + 12 <= len(png) and kind != b"IEND":
        kind = png[at + 4 : at + 8]
        at += 12 + int.from_bytes(png[at : at + 4], "big")
    return kind == b"IEND" and at <= len(png)


def _refusal(data: bytes) -> str:
    """Why an image is not decoded, "" when its header gives no reason."""
    try:
        width, height = image_size(data)
    except OSError:
        return "cannot be decoded, expected a JPEG or PNG image"
    if len(data) > MAX_IMAGE_BYTES:
        return f"more than {MAX_IMAGE_BYTES} bytes, expected a JPEG or PNG image"
    if width * height > MAX_PIXELS:
        return f"{width}x{height} pixels, expected at most {MAX_PIXELS}; make it smaller"
    if data.startswith(PNG) and not _has_all_chunks(data):
        return NOT_WHOLE
    if data.startswith(JPEG) and width * height * data.count(b"\xff\xda") > MAX_PIXEL_SCANS:
        return f"{data.count(bytes((0xFF, 0xDA)))} scans of {width}x{height} pixels; save it as a baseline JPEG"
    return ""


def is_whole(data: bytes) -> bool:
    """Whether the image is complete; OpenCV fills missing parts with grey and does not say so."""
    if _refusal(data):
        return False
    if data.endswith(ENDS):
        return True
    # Some cameras write more bytes after the image, so only decoding shows it.
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as image:
            image.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return False
    return True


def read_image(path: Path) -> UInt8[np.ndarray, "height width 3"]:
    """The RGB image in a JPEG or PNG file.

    Raises ValueError when the file is missing, is not an image, ends too early, or is too large to decode.
    """
    if pathlib.Path(path).is_dir():
        raise ValueError(f"{path} is a folder, expected a JPEG or PNG image")
    if not pathlib.Path(path).is_file():
        raise ValueError(f"{path}: no such image file")
    data = read_bytes(path, MAX_IMAGE_BYTES, "a JPEG or PNG image")
    if why := _refusal(data):
        raise ValueError(f"{path}: {why}")
    image = decode_image(data) if is_whole(data) else None
    if image is None:
        raise ValueError(f"{path}: {NOT_WHOLE}")
    return image


def encode_png(image: UInt8[np.ndarray, "height width 3"]) -> bytes:
    """The RGB image as PNG."""
    ok, data = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    assert ok
    return bytes(data)
