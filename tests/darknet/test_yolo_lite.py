"""Every network of the YOLO-LITE project that Darknet loads, against OpenCV's importer."""

import pathlib

import cv2
import jax
import numpy as np
import pytest

from tests.export.networks import random_variables
from yolojax import darknet, network

NAMES = ["trial3", "trial3-noBatch", "trial6", "trial8", "trial9", "trial11"]


@pytest.mark.parametrize("name", NAMES)
def test_head_equals_opencvs_at_the_networks_own_size(
    name: str, shared_data: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    if not hasattr(cv2.dnn, "readNetFromDarknet"):
        pytest.skip(f"OpenCV {cv2.__version__} has no Darknet importer; needs opencv-python-headless<5")
    folder = shared_data / "yolo-lite"
    if not folder.is_dir():
        pytest.skip(f"no networks at {folder}")
    cfg = folder / f"tiny-yolov2-{name}.cfg"
    weights = cfg.with_suffix(".weights")
    if not weights.exists():  # the .cfg alone
        weights = tmp_path / "random.weights"
        darknet.write_weights(darknet.read_cfg(cfg), random_variables(darknet.read_cfg(cfg)), weights)
    architecture, variables = darknet.load(cfg, weights)
    net = architecture.net
    images = np.random.default_rng(0).random((1, net.height, net.width, 3), np.float32)

    opencv = cv2.dnn.readNetFromDarknet(str(cfg), str(weights))
    opencv.setInput(images.transpose(0, 3, 1, 2))
    expected = opencv.forward(architecture.head_name).transpose(0, 2, 3, 1)

    # OpenCV adds 1e-6 to the variance where Darknet's GPU code and yolojax add 1e-5.
    statistics = jax.tree_util.tree_map_with_path(
        lambda path, leaf: leaf - np.float32(9e-6) if path[-1].key == "var" else leaf, variables["batch_stats"]
    )
    head = network.apply(architecture, {**variables, "batch_stats": statistics}, images)
    assert head.shape == expected.shape == (1, *architecture.shapes[-1])
    assert np.abs(head - expected).max() <= 2e-5 * np.abs(expected).max()
