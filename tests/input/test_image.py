"""Wrong and hostile images."""

import struct
import zlib

import cv2
import numpy as np

from tests.input.cases import Good, accepted, refused
from yolojax import data
from yolojax.data.images import MAX_IMAGE_BYTES

FILE = "image"


def png(width: int, height: int) -> bytes:
    """A PNG whose header claims this size, with one row."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


def read_image(good: Good, content: bytes):
    return data.read_image(good.write("photo.jpg", content))


@refused("missing", "error: …photo.jpg: no such image file")
def test_missing(good):
    data.read_image(good.folder / "photo.jpg")


@refused("empty", "error: …photo.jpg: cannot be decoded, expected a JPEG or PNG image")
def test_empty(good):
    read_image(good, b"")


@refused("truncated", "error: …photo.jpg: cannot be decoded to its end, expected a JPEG or PNG image")
def test_truncated(good):
    read_image(good, good.jpeg()[:-200])


@refused("too long", "error: …photo.jpg: more than 268435456 bytes, expected a JPEG or PNG image")
def test_too_long(good):
    data.read_image(good.long("photo.jpg", MAX_IMAGE_BYTES + 1))


@refused("another kind of file", "error: …photo.jpg: cannot be decoded, expected a JPEG or PNG image")
def test_another_kind_of_file(good):
    read_image(good, b"GIF89a" + bytes(100))


@refused("10^10 pixels", "error: …photo.jpg: 100000x100000 pixels, expected at most 80000000; make it smaller")
def test_ten_billion_pixels(good):
    read_image(good, png(100_000, 100_000))


@refused(
    "a JPEG of 65,500 pixels a side",
    "error: …photo.jpg: 65500x65500 pixels, expected at most 80000000; make it smaller",
)
def test_a_jpeg_of_65500_pixels_a_side(good):
    content, size = good.jpeg(), struct.pack(">HH", 65500, 65500)
    at = content.index(b"\xff\xc0") + 5
    read_image(good, content[:at] + size + content[at + 4 :])


@refused(
    "a progressive JPEG of 3,000 scans",
    "error: …photo.jpg: 3010 scans of 1000x1000 pixels; save it as a baseline JPEG",
)
def test_a_progressive_jpeg_of_3000_scans(good):
    image = np.zeros((1000, 1000, 3), np.uint8)
    content = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    first = content.index(b"\xff\xda")
    second = content.index(b"\xff\xda", first + 2)
    read_image(good, content[:second] + content[first:second] * 3_000 + content[second:])


@refused(
    "a PNG chunk of 4 GB in a few bytes",
    "error: …photo.jpg: cannot be decoded to its end, expected a JPEG or PNG image",
)
def test_a_png_chunk_of_4_gb_in_a_few_bytes(good):
    content = png(8, 8)
    at = content.index(b"IDAT") - 4
    read_image(good, content[:at] + b"\xff\xff\xff\x00" + content[at + 4 :])


@accepted("bytes after its end", "some cameras write them")
def test_bytes_after_its_end(good):
    assert read_image(good, good.jpeg() + b"written by a camera") is not None


@accepted("unreadable, in a data set", "the image is skipped, and counted in the log")
def test_one_in_a_data_set_that_cannot_be_read(good):
    good.write("devkit/JPEGImages/000001.jpg", png(100_000, 100_000))
    tfds = good.folder / "tfds"
    assert len(data.open_dataset(f"devkit:{good.folder / 'devkit'}", "test", data_dir=str(tfds))) == 2
