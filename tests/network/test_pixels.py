import cv2
import numpy as np
import pytest

from yolojax import network
from yolojax.network import Architecture, Convolutional, Net

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 6, 5, 3), np.uint8)


def reading(channels: int) -> Architecture:
    return Architecture(Net(6, 5, channels), (Convolutional(2),))


def test_rgb_comes_as_it_is() -> None:
    np.testing.assert_allclose(network.to_input(reading(3), IMAGES), np.float32(IMAGES) / 255, rtol=1e-6)


def test_grey_is_opencvs() -> None:
    expected = np.stack([cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2GRAY) for image in IMAGES])
    found = network.to_input(reading(1), IMAGES)
    assert found.shape == (3, 6, 5, 1)
    np.testing.assert_allclose(found[..., 0], expected, atol=1e-6)


def test_grey_is_darknets_to_a_step() -> None:
    """Darknet's reader, stb_image: integers over 256."""
    wide = IMAGES.astype(np.int32)
    darknets = (77 * wide[..., 0] + 150 * wide[..., 1] + 29 * wide[..., 2]) >> 8
    assert np.abs(255 * np.asarray(network.to_input(reading(1), IMAGES))[..., 0] - darknets).max() < 1.5


def test_one_channel_comes_as_it_is() -> None:
    grey = IMAGES[..., :1]
    np.testing.assert_allclose(network.to_input(reading(1), grey), np.float32(grey) / 255, rtol=1e-6)


def test_mistakes() -> None:
    with pytest.raises(ValueError, match=r"^a network of channels=4, expected 3 \(RGB\) or 1 \(grey\) for images$"):
        network.to_input(reading(4), IMAGES)
    for channels, given, wanted in ((1, 2, "3 or 1"), (3, 1, "3")):
        expected = rf"images of shape \(3, 6, 5, {given}\), expected \(batch, height, width, {wanted}\)$"
        with pytest.raises(ValueError, match=expected):
            network.to_input(reading(channels), IMAGES[..., :given])
