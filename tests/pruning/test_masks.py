import pathlib

import jax
import numpy as np
import pytest

from tests import helpers
from yolojax import darknet, network, pruning

ARCHITECTURE = helpers.small_architecture()
PARAMS = helpers.random_variables(ARCHITECTURE)["params"]
CFGS = pathlib.Path(__file__).parents[2] / "third_party" / "darknet"
KERNELS = sum(layer["kernel"].size for layer in PARAMS.values())


def kept_filters(masks):
    return {name: np.flatnonzero(layer["bias"]).tolist() for name, layer in masks.items()}


def dropped(masks):
    return sum(int((~np.asarray(layer["bias"])).sum()) for layer in masks.values())


@pytest.mark.parametrize("amount", [0.0, 0.25, 0.8, 0.999])
def test_weights_go_by_magnitude_to_the_exact_count(amount):
    masks = pruning.weight_masks(ARCHITECTURE, PARAMS, amount)
    assert jax.tree.structure(masks) == jax.tree.structure(PARAMS)
    keep = np.concatenate([np.asarray(masks[name]["kernel"]).ravel() for name in PARAMS])
    size = np.concatenate([np.abs(PARAMS[name]["kernel"]).ravel() for name in PARAMS])
    assert (~keep).sum() == round(amount * KERNELS)
    assert size[~keep].max(initial=0) <= size[keep].min()
    assert all(np.all(leaf) for layer in masks.values() for name, leaf in layer.items() if name != "kernel")


def test_weights_per_layer():
    masks = pruning.weight_masks(ARCHITECTURE, PARAMS, 0.5, scope="layer")
    for name, layer in masks.items():
        assert (~np.asarray(layer["kernel"])).sum() == round(0.5 * PARAMS[name]["kernel"].size)


@pytest.mark.parametrize("function", [pruning.weight_masks, pruning.filter_masks])
def test_under_jit(function):
    inner = jax.jit(lambda params: function(ARCHITECTURE, params, 0.4))
    for a, b in zip(
        *(jax.tree.leaves(f(PARAMS)) for f in (inner, lambda p: function(ARCHITECTURE, p, 0.4))), strict=True
    ):
        np.testing.assert_array_equal(a, b)


def test_a_dropped_filter_takes_kernel_scale_and_bias():
    masks = pruning.filter_masks(ARCHITECTURE, PARAMS, 0.4)
    assert jax.tree.structure(masks) == jax.tree.structure(PARAMS)
    for layer in masks.values():
        for leaf in layer.values():
            np.testing.assert_array_equal(
                np.asarray(leaf), np.broadcast_to(np.asarray(layer["bias"]), np.asarray(leaf).shape)
            )


def test_filters_go_by_one_global_threshold_except_groups_and_the_head():
    masks = pruning.filter_masks(ARCHITECTURE, PARAMS, 0.4)
    scores = pruning.filter_mean_square(ARCHITECTURE, PARAMS)
    kept = kept_filters(masks)
    prunable = [name for name in PARAMS if name != ARCHITECTURE.head_name]
    total = sum(PARAMS[name]["bias"].size for name in prunable)
    assert 0 <= round(0.4 * total) - dropped(masks) < 4
    assert len(kept[ARCHITECTURE.head_name]) == 18
    assert len(kept["conv_08"]) in (0, 4)  # one aligned group before the reorg
    single = [name for name in prunable if name != "conv_08"]
    out = [s for name in single for i, s in enumerate(np.asarray(scores[name])) if i not in kept[name]]
    stays = [
        s for name in single for i, s in enumerate(np.asarray(scores[name])) if i in kept[name] and len(kept[name]) > 1
    ]
    assert max(out) <= min(stays)


def test_filters_per_layer_as_li_et_al():
    masks = pruning.filter_masks(ARCHITECTURE, PARAMS, 0.5, criterion="l1")
    scores = pruning.filter_l1(ARCHITECTURE, PARAMS)
    for name, kept in kept_filters(masks).items():
        count = PARAMS[name]["bias"].size
        if name in ("conv_08", ARCHITECTURE.head_name):
            assert len(kept) == count  # half of one group, and the head
        else:
            assert kept == sorted(np.argsort(np.asarray(scores[name]))[count // 2 :].tolist())


def test_a_smallest_number_stays_and_layers_can_be_excluded():
    masks = pruning.filter_masks(ARCHITECTURE, PARAMS, 0.9, min_filters=3, exclude=("conv_02",))
    counts = {name: len(kept) for name, kept in kept_filters(masks).items()}
    assert counts["conv_02"] == 8
    assert counts["conv_08"] == 4  # whole groups
    assert all(count >= 3 for count in counts.values())
    assert counts["conv_00"] == counts["conv_11"] == 3
    best = np.argsort(np.asarray(pruning.filter_mean_square(ARCHITECTURE, PARAMS)["conv_00"]))[-3:]
    assert kept_filters(masks)["conv_00"] == sorted(best.tolist())


def test_apply_makes_exact_zeros_and_leaves_the_input_alone():
    params = {"conv_00": {"kernel": np.array([1.0, np.nan, -2.0], np.float32)}}
    masks = {"conv_00": {"kernel": np.array([True, False, False])}}
    result = np.asarray(pruning.apply_masks(params, masks)["conv_00"]["kernel"])
    np.testing.assert_array_equal(result, [1, 0, 0])
    assert not np.signbit(result).any()
    assert np.isnan(params["conv_00"]["kernel"][1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pruning.weight_masks(ARCHITECTURE, PARAMS, 1.0), "amount 1.0, expected a fraction"),
        (lambda: pruning.filter_masks(ARCHITECTURE, PARAMS, -0.1), "amount -0.1, expected a fraction"),
        (
            lambda: pruning.weight_masks(ARCHITECTURE, PARAMS, 0.5, scope="net"),
            "scope 'net', expected one of global, layer",
        ),
        (lambda: pruning.filter_masks(ARCHITECTURE, PARAMS, 0.5, criterion="l2"), "criterion 'l2', expected one of"),
        (
            lambda: pruning.filter_masks(ARCHITECTURE, PARAMS, 0.5, exclude=("conv_01",)),
            "no convolution; there are conv_00",
        ),
        (lambda: pruning.filter_masks(ARCHITECTURE, PARAMS, 0.5, min_filters=0), "min_filters must be at least 1"),
    ],
)
def test_mistakes(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.slow
def test_the_studys_counts_on_yolov2_voc():
    architecture = darknet.read_cfg(CFGS / "yolov2-voc.cfg")
    params = network.init(architecture, jax.random.key(0))["params"]
    for amount, expected in [(0.7, 15_211_174), (0.75, 12_679_443), (0.8, 10_147_712), (0.9, 5_084_256)]:
        left = pruning.count_nonzeros(pruning.weight_masks(architecture, params, amount))
        assert abs(left - expected) <= 4
