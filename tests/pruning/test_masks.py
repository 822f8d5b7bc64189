import dataclasses
import pathlib

import chex
import jax
import numpy as np
import pytest

from tests import helpers
from yolojax import darknet, network, pruning
from yolojax.network import Architecture

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


def test_equal_weights_go_in_the_order_of_the_layers():
    params = jax.tree.map(np.ones_like, PARAMS)
    masks = pruning.weight_masks(ARCHITECTURE, params, 0.1)
    keep = np.concatenate([np.asarray(masks[conv.name]["kernel"]).ravel() for conv in ARCHITECTURE.convolutions])
    drop = round(0.1 * KERNELS)
    assert not keep[:drop].any()
    assert keep[drop:].all()


def test_a_fraction_for_each_layer():
    masks = pruning.weight_masks(ARCHITECTURE, PARAMS, {"conv_00": 0.5, "conv_12": 0.25})
    gone = {name: int((~np.asarray(layer["kernel"])).sum()) for name, layer in masks.items()}
    assert {name: count for name, count in gone.items() if count} == {"conv_00": 108, "conv_12": 16 * 18 // 4}
    masks = pruning.filter_masks(ARCHITECTURE, PARAMS, {"conv_00": 0.5, "conv_02": 0.25, "conv_12": 0.0})
    gone = {name: PARAMS[name]["bias"].size - len(kept) for name, kept in kept_filters(masks).items()}
    assert {name: count for name, count in gone.items() if count} == {"conv_00": 4, "conv_02": 2}


def plain_filter_selection(architecture, scores, amount, min_filters, exclude):
    """{layer: kept filters} by one loop over all groups in the order of their scores."""
    sizes = pruning.group_sizes(architecture)
    order, left = [], {}
    for name, values in scores.items():
        size, values = sizes[name], np.asarray(values)
        left[name] = set(range(len(values)))
        if size and name not in exclude:
            groups = values.reshape(-1, size).mean(axis=1, dtype=np.float32)
            order += [(score, len(order) + i, name, i) for i, score in enumerate(groups)]
    budget = round(amount * sum(len(v) for name, v in left.items() if name != architecture.head_name))
    for _, _, name, group in sorted(order):
        size = sizes[name]
        if len(left[name]) - size < -(-min_filters // size) * size:
            continue
        if size > budget:
            break
        budget -= size
        left[name] -= set(range(group * size, group * size + size))
    return {name: sorted(filters) for name, filters in left.items()}


@pytest.mark.parametrize(("min_filters", "exclude"), [(1, ()), (3, ("conv_02", "conv_07")), (5, ("conv_11",))])
def test_global_filter_selection_is_that_of_a_plain_loop(min_filters, exclude):
    exclude = tuple(name for name in exclude if name in PARAMS)
    architecture = Architecture(
        ARCHITECTURE.net,
        (*ARCHITECTURE.layers[:8], dataclasses.replace(ARCHITECTURE.layers[8], filters=16), *ARCHITECTURE.layers[9:]),
    )
    params = helpers.random_variables(architecture, 3)["params"]
    scores = pruning.filter_mean_square(architecture, params)
    for amount in (0.0, 0.1, 0.3, 0.5, 0.7, 0.95):
        masks = pruning.filter_masks(architecture, params, amount, min_filters=min_filters, exclude=exclude)
        assert kept_filters(masks) == plain_filter_selection(architecture, scores, amount, min_filters, exclude)


@pytest.mark.parametrize("multiple", [2, 3, 4, 8])
def test_filters_on_a_grid(multiple):
    free = kept_filters(pruning.filter_masks(ARCHITECTURE, PARAMS, 0.5))
    grid = kept_filters(pruning.filter_masks(ARCHITECTURE, PARAMS, 0.5, round_to=multiple))
    scores = pruning.filter_mean_square(ARCHITECTURE, PARAMS)
    for name, kept in free.items():
        total = scores[name].size
        # The group of four before the reorg has no grid; nor does what is narrower than four steps.
        step = multiple if name != "conv_08" and total >= 4 * multiple else 1
        count = min(-(-len(kept) // step) * step, total)
        assert len(grid[name]) == count
        assert set(kept) <= set(grid[name])
        if pruning.group_sizes(ARCHITECTURE)[name] == 1:
            assert set(grid[name]) == set(np.argsort(np.asarray(scores[name]), kind="stable")[total - count :].tolist())
    with pytest.raises(ValueError, match="round_to must be at least 1, got 0"):
        pruning.filter_masks(ARCHITECTURE, PARAMS, 0.5, round_to=0)


@pytest.mark.parametrize("min_filters", [1, 3])
def test_equal_filters_go_in_the_order_of_the_index(min_filters):
    params = jax.tree.map(np.ones_like, PARAMS)
    scores = pruning.filter_mean_square(ARCHITECTURE, params)
    for amount in (0.05, 0.3, 0.7):
        masks = pruning.filter_masks(ARCHITECTURE, params, amount, min_filters=min_filters)
        assert kept_filters(masks) == plain_filter_selection(ARCHITECTURE, scores, amount, min_filters, ())
    masks = pruning.filter_masks(ARCHITECTURE, params, 0.5, scope="layer")
    assert kept_filters(masks)["conv_00"] == [4, 5, 6, 7]


def test_the_amount_is_of_all_filters_before_the_head_also_when_layers_are_excluded():
    masks = pruning.filter_masks(ARCHITECTURE, PARAMS, 0.25, exclude=("conv_08", "conv_11"))
    total = sum(layer["bias"].size for name, layer in PARAMS.items() if name != ARCHITECTURE.head_name)
    assert dropped(masks) == round(0.25 * total)


def test_another_amount_does_not_compile_again():
    from yolojax.pruning import masks as module

    for make, compiled in [(pruning.weight_masks, module._drop_weights), (pruning.filter_masks, module._drop_filters)]:
        make(ARCHITECTURE, PARAMS, 0.41)
        before = compiled._cache_size()
        make(ARCHITECTURE, PARAMS, 0.53)
        assert compiled._cache_size() == before


def test_weights_per_layer():
    masks = pruning.weight_masks(ARCHITECTURE, PARAMS, 0.5, scope="layer")
    for name, layer in masks.items():
        assert (~np.asarray(layer["kernel"])).sum() == round(0.5 * PARAMS[name]["kernel"].size)


@pytest.mark.parametrize("amount", [0.0, 0.3, 0.9, 0.98])
def test_weights_by_erdos_renyi(amount):
    masks = pruning.weight_masks(ARCHITECTURE, PARAMS, amount, scope="erdos_renyi")
    counts = pruning.erdos_renyi_counts(
        {name: layer["kernel"].shape for name, layer in PARAMS.items()}, round(amount * KERNELS)
    )
    for name, layer in masks.items():
        gone, sizes = ~np.asarray(layer["kernel"]), np.abs(PARAMS[name]["kernel"])
        assert gone.sum() == counts[name]
        assert sizes[gone].max(initial=0) <= sizes[~gone].min(initial=np.inf)
    assert sum(counts.values()) == round(amount * KERNELS)


@pytest.mark.parametrize("function", [pruning.weight_masks, pruning.filter_masks])
def test_under_jit(function):
    inner = jax.jit(lambda params: function(ARCHITECTURE, params, 0.4))
    chex.assert_trees_all_equal(inner(PARAMS), function(ARCHITECTURE, PARAMS, 0.4))


def test_architecture_and_amount_are_static_under_jit():
    for function in (pruning.weight_masks, pruning.filter_masks):
        compiled = jax.jit(function, static_argnums=(0, 2), static_argnames=("scope",))
        for scope in ("global", "layer"):
            expected = function(ARCHITECTURE, PARAMS, 0.3, scope=scope)
            found = compiled(ARCHITECTURE, PARAMS, 0.3, scope=scope)
            chex.assert_trees_all_equal(found, expected)
        fractions = {"conv_02": 0.5, "conv_00": 0.25}  # a mapping has no hash: a closure takes it
        expected = function(ARCHITECTURE, PARAMS, fractions)
        found = jax.jit(lambda params, f=function, a=fractions: f(ARCHITECTURE, params, a))(PARAMS)
        chex.assert_trees_all_equal(found, expected)


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
            "scope 'net', expected one of global, layer, erdos_renyi",
        ),
        (
            lambda: pruning.filter_masks(ARCHITECTURE, PARAMS, 0.5, scope="erdos_renyi"),
            "scope 'erdos_renyi', expected one of global, layer$",
        ),
        (lambda: pruning.filter_masks(ARCHITECTURE, PARAMS, 0.5, criterion="l7"), "criterion 'l7', expected one of"),
        (
            lambda: pruning.filter_masks(ARCHITECTURE, PARAMS, 0.5, exclude=("conv_01",)),
            "not a convolution; there are conv_00",
        ),
        (
            lambda: pruning.weight_masks(ARCHITECTURE, PARAMS, {"conv_99": 0.5}),
            "amount names 'conv_99', which is not a conv",
        ),
        (lambda: pruning.weight_masks(ARCHITECTURE, PARAMS, {"conv_00": 1.5}), "amount 1.5, expected a fraction"),
        (
            lambda: pruning.filter_masks(ARCHITECTURE, PARAMS, {"conv_12": 0.5}),
            "conv_12, whose filters all have to stay",
        ),
        (lambda: pruning.filter_masks(ARCHITECTURE, PARAMS, 0.5, min_filters=0), "min_filters must be at least 1"),
    ],
)
def test_mistakes(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.slow
@pytest.mark.parametrize("levels", [None, 3], ids=["distinct", "tied"])
def test_the_studys_counts_on_yolov2_voc_whatever_the_weights(levels):
    architecture = darknet.read_cfg(CFGS / "yolov2-voc.cfg")
    rng = np.random.default_rng(0)

    def leaf(shape):
        values = rng.standard_normal(shape, np.float32)
        return values if levels is None else np.round(values * levels)

    shapes = network.variable_shapes(architecture)["params"]
    params = jax.tree.map(leaf, shapes, is_leaf=lambda x: isinstance(x, tuple))
    for amount, expected in [(0.7, 15_211_174), (0.75, 12_679_443), (0.8, 10_147_712), (0.9, 5_084_256)]:
        left = pruning.count_nonzeros(pruning.weight_masks(architecture, params, amount))
        assert left == 50_655_389 - round(amount * 50_634_592)
        assert abs(left - expected) <= 4
