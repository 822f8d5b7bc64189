import pathlib
from typing import Any

import chex
import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from yolojax import darknet, network

THIRD_PARTY = pathlib.Path(__file__).parents[2] / "third_party" / "darknet"

SMALL = network.Architecture(
    network.Net(height=8, width=8, channels=3, options=(("momentum", "0.9"),)),
    (
        network.Convolutional(4, 3, 2, 1, batch_normalize=True, activation="leaky"),
        network.Convolutional(7),
        network.Region(((1.0, 2.0),), 2),
    ),
)


def _random(architecture: network.Architecture) -> dict[str, Any]:
    """Values that keep activations near 1, so that a difference in any layer reaches the head."""
    rng = np.random.default_rng(0)

    def leaf(path: Any, shape: tuple[int, ...]) -> np.ndarray:
        match path[-1].key:
            case "kernel":
                return rng.standard_normal(shape, np.float32) * np.float32(np.sqrt(2 / np.prod(shape[:3])))
            case "scale" | "var":
                return rng.uniform(0.5, 1.5, shape).astype(np.float32)
            case _:
                return rng.normal(0.0, 0.3, shape).astype(np.float32)

    shapes = network.variable_shapes(architecture)
    return jax.tree_util.tree_map_with_path(leaf, shapes, is_leaf=lambda node: isinstance(node, tuple))


def test_save_and_load(tmp_path: pathlib.Path) -> None:
    variables = _random(SMALL)
    cfg, weights = tmp_path / "a.cfg", tmp_path / "a.weights"
    darknet.save(SMALL, variables, cfg, weights, seen=64)
    architecture, loaded = darknet.load(cfg, weights)
    assert architecture == SMALL
    assert darknet.read_header(weights) == (0, 2, 0, 64)
    chex.assert_trees_all_equal(loaded, variables)


def test_a_head_that_is_not_loaded_is_random_and_then_saved(tmp_path: pathlib.Path) -> None:
    variables = _random(SMALL)
    cfg, weights = tmp_path / "a.cfg", tmp_path / "a.weights"
    head = network.Convolutional(7, dontload=True)
    unread = network.Architecture(SMALL.net, (SMALL.layers[0], head, SMALL.layers[2]))
    darknet.write_cfg(unread, cfg)
    darknet.write_weights(SMALL, variables, weights)
    architecture, loaded = darknet.load(cfg, weights)
    assert architecture == SMALL
    chex.assert_trees_all_equal(loaded["params"]["conv_00"], variables["params"]["conv_00"])
    assert np.all(np.asarray(loaded["params"]["conv_01"]["kernel"]) != variables["params"]["conv_01"]["kernel"])
    chex.assert_trees_all_equal(darknet.load(cfg, weights)[1], loaded)
    for saved in (SMALL, unread):
        darknet.save(saved, loaded, tmp_path / "b.cfg", tmp_path / "b.weights")
        again, values = darknet.load(tmp_path / "b.cfg", tmp_path / "b.weights")
        assert again == SMALL
        chex.assert_trees_all_equal(values, loaded)


def test_save_of_what_a_cfg_cannot_hold_leaves_no_file(tmp_path: pathlib.Path) -> None:
    layers = (network.Convolutional(1, options=(("filters", "2"),)),)
    architecture = network.Architecture(network.Net(8, 8), layers)
    with pytest.raises(ValueError, match="option filters=2"):
        darknet.save(architecture, _random(architecture), tmp_path / "a.cfg", tmp_path / "a.weights")
    assert list(tmp_path.iterdir()) == []


def test_load_backbone_replaces_the_first_layers_alone(tmp_path: pathlib.Path) -> None:
    backbone = _random(SMALL)
    darknet.write_weights(SMALL, backbone, tmp_path / "a.conv.1", cutoff=1)
    variables = jax.tree.map(np.zeros_like, backbone)
    loaded = darknet.load_backbone(SMALL, variables, tmp_path / "a.conv.1", 1)
    for collection in ("params", "batch_stats"):
        chex.assert_trees_all_equal(loaded[collection]["conv_00"], backbone[collection]["conv_00"])
    assert not loaded["params"]["conv_01"]["kernel"].any()
    assert not variables["params"]["conv_00"]["kernel"].any()


def test_a_backbone_says_which_layer_is_not_in_its_file(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    variables = _random(SMALL)
    darknet.write_weights(SMALL, variables, tmp_path / "a.weights")
    head = network.Convolutional(7, dontload=True)
    unread = network.Architecture(SMALL.net, (SMALL.layers[0], head, SMALL.layers[2]))
    fresh = network.init(SMALL, jax.random.key(1))
    with caplog.at_level("INFO", logger="absl"):
        loaded = darknet.load_backbone(unread, fresh, tmp_path / "a.weights", 2)
    chex.assert_trees_all_equal(loaded["params"]["conv_00"], variables["params"]["conv_00"])
    chex.assert_trees_all_equal(loaded["params"]["conv_01"], fresh["params"]["conv_01"])
    assert "a.weights: conv_01 not read, as dontload=1 says" in caplog.text


def test_load_backbone_checks_the_variables(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ValueError, match="params/conv_00/bias: missing"):
        darknet.load_backbone(SMALL, {"params": {}, "batch_stats": {}}, tmp_path / "none", 1)


def test_head_equals_darknets(shared_data: pathlib.Path) -> None:
    folder = shared_data / "darknet-oracle"
    architecture, variables = darknet.load(folder / "mini.cfg", folder / "mini.weights")
    # Darknet's CPU code, which made the numbers, divides by sqrt(var) + 1e-6.
    statistics = jax.tree_util.tree_map_with_path(
        lambda path, leaf: (np.sqrt(leaf) + 1e-6) ** 2 - 1e-5 if path[-1].key == "var" else leaf,
        variables["batch_stats"],
    )
    with np.load(folder / "forward.npz") as oracle:
        images, expected = oracle["images_nchw"].transpose(0, 2, 3, 1), oracle["head"].transpose(0, 2, 3, 1)
    apply = jax.jit(network.apply, static_argnums=0)
    head = apply(architecture, {**variables, "batch_stats": statistics}, images)
    assert head.shape == expected.shape
    assert np.abs(head - expected).max() <= 1e-5 * np.abs(expected).max()


def test_oracle_weights_come_back_byte_for_byte(shared_data: pathlib.Path, tmp_path: pathlib.Path) -> None:
    folder = shared_data / "darknet-oracle"
    for name, kind in (("mini", "int32"), ("after_one_step_seen0", "int64")):
        original = folder / f"{name}.weights"
        architecture, variables = darknet.load(folder / "mini.cfg", original)
        seen = darknet.read_header(original).seen
        darknet.write_weights(architecture, variables, tmp_path / "b.weights", seen=seen, header=kind)
        size = darknet.read_header(original).size
        assert (tmp_path / "b.weights").read_bytes()[size:] == original.read_bytes()[size:]
        assert (tmp_path / "b.weights").stat().st_size == original.stat().st_size


@pytest.mark.slow
@pytest.mark.parametrize("name", ["yolov2-voc", "yolov2-tiny-voc"])
def test_head_equals_opencvs(name: str, tmp_path: pathlib.Path) -> None:
    if not hasattr(cv2.dnn, "readNetFromDarknet"):
        pytest.skip(f"OpenCV {cv2.__version__} has no Darknet importer; needs opencv-python-headless<5")
    architecture = darknet.read_cfg(THIRD_PARTY / f"{name}.cfg").resized(96, 160)
    variables = _random(architecture)
    cfg, weights = tmp_path / "a.cfg", tmp_path / "a.weights"
    darknet.save(architecture, variables, cfg, weights)
    image = np.random.default_rng(1).uniform(size=(1, 96, 160, 3)).astype(np.float32)

    opencv = cv2.dnn.readNetFromDarknet(str(cfg), str(weights))
    opencv.setInput(image.transpose(0, 3, 1, 2))
    expected = opencv.forward(architecture.head_name).transpose(0, 2, 3, 1)

    # OpenCV adds 1e-6 to the variance where Darknet's GPU code and yolojax add 1e-5.
    statistics = jax.tree_util.tree_map_with_path(
        lambda path, leaf: leaf - np.float32(9e-6) if path[-1].key == "var" else leaf, variables["batch_stats"]
    )
    head = jax.jit(network.apply, static_argnums=0)(
        architecture, {**variables, "batch_stats": statistics}, jnp.asarray(image)
    )
    assert head.shape == expected.shape == (1, 3, 5, 125)
    assert np.abs(head - expected).max() <= 1e-5 * np.abs(expected).max()
