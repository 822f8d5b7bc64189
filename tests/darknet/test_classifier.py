"""Darknet19, the classifier whose first layers YOLOv2 begins with: read, cut and taken as a backbone."""

import pathlib

import cv2
import jax
import numpy as np
import pytest

from tests.export.networks import random_variables
from yolojax import darknet, export, network, runs, training
from yolojax.network import Architecture

THIRD_PARTY = pathlib.Path(__file__).parents[2] / "third_party" / "darknet"
# Filters of the convolutions between the pools; each second one is 1x1.
STAGES = ((32,), (64,), (128, 64, 128), (256, 128, 256), (512, 256, 512, 256, 512), (1024, 512, 1024, 512, 1024))
END = "[convolutional]\nfilters=1000\nsize=1\nstride=1\npad=1\nactivation=linear\n[avgpool]\n[softmax]\ngroups=1\n"


def darknet19(narrower: int = 1, size: int = 224) -> Architecture:
    """The layers of Darknet's darknet19.cfg, with `narrower` times fewer filters."""
    text = f"[net]\nheight={size}\nwidth={size}\nchannels=3\n"
    for number, stage in enumerate(STAGES):
        text += "[maxpool]\nsize=2\nstride=2\n" if number else ""
        for place, filters in enumerate(stage):
            text += f"[convolutional]\nbatch_normalize=1\nfilters={filters // narrower}\nsize={1 if place % 2 else 3}\n"
            text += "stride=1\npad=1\nactivation=leaky\n"
    return darknet.parse_cfg(text + END + "[cost]\ntype=sse\n")


def test_its_layers_are_the_first_of_yolov2s() -> None:
    classifier, detector = darknet19(), darknet.read_cfg(THIRD_PARTY / "yolov2-voc.cfg")
    assert classifier.layers[:23] == detector.layers[:23]
    assert classifier.shapes[-1] == (1, 1, 1000)
    assert len(classifier.layers) == 27


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The weights of a narrow one, with its .cfg."""
    weights = tmp_path_factory.mktemp("classifier") / "darknet19.weights"
    architecture = darknet19(narrower=16, size=64)
    darknet.save(architecture, random_variables(architecture), weights.with_suffix(".cfg"), weights, seen=7)
    return weights


def test_its_probabilities_are_opencvs(files: pathlib.Path) -> None:
    if not hasattr(cv2.dnn, "readNetFromDarknet"):
        pytest.skip(f"OpenCV {cv2.__version__} has no Darknet importer; needs opencv-python-headless<5")
    architecture, variables = darknet.load(files.with_suffix(".cfg"), files)
    images = np.random.default_rng(0).random((1, 64, 64, 3), np.float32)
    opencv = cv2.dnn.readNetFromDarknet(str(files.with_suffix(".cfg")), str(files))
    opencv.setInput(images.transpose(0, 3, 1, 2))
    expected = opencv.forward().ravel()
    np.testing.assert_allclose(np.ravel(network.apply(architecture, variables, images)), expected, atol=1e-5)


def test_a_cut_is_the_first_layers(files: pathlib.Path, tmp_path: pathlib.Path) -> None:
    out = tmp_path / "darknet19.conv.23"
    runs.convert(str(files), "darknet", str(out), cutoff=23)
    cut, whole = out.read_bytes(), files.read_bytes()
    assert whole.startswith(cut)
    assert len(whole) - len(cut) == 4 * (64 + 1) * 1000  # the last convolution


def test_it_is_a_backbone(files: pathlib.Path, tmp_path: pathlib.Path) -> None:
    text = files.with_suffix(".cfg").read_text().partition("[avgpool]")[0]
    assert text.count("filters=1000") == 1
    region = "[region]\nanchors=1,1\nnum=1\nclasses=5\nsoftmax=1\nbias_match=1\n"
    (tmp_path / "yolo.cfg").write_text(text.replace("filters=1000", "filters=10") + region)
    model = training.new_model(str(tmp_path / "yolo.cfg"), ("dog", "cat"), seed=0, backbone=str(files), cutoff=23)
    _, variables = darknet.load(files.with_suffix(".cfg"), files)
    for name in ("conv_00", "conv_22"):
        jax.tree.map(np.testing.assert_array_equal, model.params[name], variables["params"][name])
    assert model.params["conv_23"]["bias"].shape == (7,)


def test_it_does_not_detect(files: pathlib.Path) -> None:
    with pytest.raises(ValueError, match=r"^this network has no \[region\] layer, so it does not detect$"):
        export.open_model(files)
