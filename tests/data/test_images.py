"""Encoded images: colours, odd kinds, and broken ones."""

import cv2
import numpy as np
import pytest

from tests.data.tiny import cmyk_jpeg, jpeg, png, with_exif_orientation
from yolojax.data import decode_image, encode_png, read_image
from yolojax.data.images import image_size, is_whole

PIXELS = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [9, 8, 7]], [[1, 2, 3], [4, 5, 6]]], np.uint8)


def test_rgb_in_and_out():
    assert decode_image(encode_png(PIXELS)).tolist() == PIXELS.tolist()
    assert decode_image(png(PIXELS)).tolist() == PIXELS.tolist()
    assert image_size(png(PIXELS)) == (2, 3)


def test_grey_becomes_rgb():
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
    image = decode_image(cv2.imencode(".png", grey)[1].tobytes())
    assert image.tolist() == np.repeat(grey[..., None], 3, axis=2).tolist()


def test_cmyk_becomes_rgb():
    image = decode_image(cmyk_jpeg())
    assert image.shape == (30, 40, 3)
    assert np.abs(image.astype(int) - [255, 0, 0]).max() <= 3


def test_an_exif_orientation_is_ignored():
    data = with_exif_orientation(jpeg(40, 30))
    assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).shape == (40, 30, 3)  # it is one
    assert decode_image(data).shape == (30, 40, 3)
    assert image_size(data) == (40, 30)


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"\xff\xd8\xff", jpeg()[:40]])
def test_what_is_no_image_is_none(data):
    assert decode_image(data) is None
    assert not is_whole(data)


@pytest.mark.parametrize("data", [jpeg(200, 150), png(PIXELS.repeat(50, axis=0))])
def test_whole_or_cut_short(data):
    assert is_whole(data)
    assert is_whole(data + b"written by a camera")
    assert not is_whole(data[: len(data) * 2 // 3])


def test_read_image(tmp_path):
    (tmp_path / "a.png").write_bytes(png(PIXELS))
    (tmp_path / "b.jpg").write_bytes(b"none")
    assert read_image(tmp_path / "a.png").tolist() == PIXELS.tolist()
    with pytest.raises(ValueError, match=r"b.jpg: cannot be decoded, expected a JPEG or PNG"):
        read_image(tmp_path / "b.jpg")
    with pytest.raises(ValueError, match=r" is a folder, expected a JPEG or PNG image"):
        read_image(tmp_path)
    with pytest.raises(ValueError, match=r"c.jpg: no such image file"):
        read_image(tmp_path / "c.jpg")
