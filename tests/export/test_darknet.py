import cv2
import jax
import numpy as np
import pytest

from tests import helpers
from tests.export import networks
from yolojax import darknet, export, network


@pytest.mark.parametrize("softmax", [True, False])
def test_opencv_gives_the_masked_networks_head_by_the_cards_example(tmp_path, monkeypatch, softmax):
    """From the files of a network whose filters were removed, around a reorg too."""
    if not hasattr(cv2.dnn, "readNetFromDarknet"):
        pytest.skip(f"OpenCV {cv2.__version__} has no Darknet importer; needs opencv-python-headless<5")
    architecture = networks.with_region(helpers.small_architecture(), softmax=softmax)
    variables = networks.random_variables(architecture)
    masked, (smaller, small_variables) = networks.removed(architecture, variables)
    assert smaller != architecture
    monkeypatch.chdir(tmp_path)
    darknet.save(smaller, small_variables, "m.cfg", "m.weights")
    export.write_card("m.weights", smaller, small_variables, export.darknet_interface(smaller), export.Facts())
    values = {}
    exec(networks.example("m.weights"), values)

    images = networks.random_images(architecture, 2)
    values["network"].setInput(images.transpose(0, 3, 1, 2))
    head = values["network"].forward(smaller.head_name).transpose(0, 2, 3, 1)
    # OpenCV adds 1e-6 to the variance where Darknet's GPU code and yolojax add 1e-5.
    statistics = jax.tree_util.tree_map_with_path(
        lambda path, leaf: leaf - np.float32(9e-6) if path[-1].key == "var" else leaf, masked["batch_stats"]
    )
    expected = np.asarray(networks.apply(architecture, {**masked, "batch_stats": statistics}, images))
    assert values["head"].shape == (1, 18, 4, 4)
    np.testing.assert_allclose(head, expected, rtol=0, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("names", [("a", "b", "c"), ()])
def test_what_is_saved_opens_again_with_names_or_without(names, tmp_path):
    architecture = networks.random_architecture(0)
    export.save_darknet(network.Model(architecture, networks.random_variables(architecture), names, 3), tmp_path / "m")
    model = export.open_model(tmp_path / "m.weights")
    assert (model.names, model.seen) == (names, 3)
    assert (tmp_path / "m.names").exists() == bool(names)
