import dataclasses

import chex
import jax
import numpy as np
import pytest

from tests import helpers
from yolojax import pruning
from yolojax.network import Architecture

ARCHITECTURE = helpers.small_architecture()
PARAMS = helpers.random_variables(ARCHITECTURE)["params"]


def test_weight_magnitude():
    scores = pruning.weight_magnitude(ARCHITECTURE, PARAMS)
    assert scores.keys() == PARAMS.keys()
    np.testing.assert_array_equal(scores["conv_02"], np.abs(PARAMS["conv_02"]["kernel"]))


def test_filter_scores_are_those_of_plain_loops():
    l1 = pruning.filter_l1(ARCHITECTURE, PARAMS)
    squares = pruning.filter_mean_square(ARCHITECTURE, PARAMS)
    for name, layer in PARAMS.items():
        filters = [layer["kernel"][..., f].astype(np.float64) for f in range(layer["kernel"].shape[-1])]
        np.testing.assert_allclose(l1[name], [sum(abs(w) for w in f.ravel()) for f in filters], rtol=1e-5)
        means = [sum(w * w for w in f.ravel()) / f.size for f in filters]
        norm = sum(m * m for m in means) ** 0.5
        np.testing.assert_allclose(squares[name], [m / norm for m in means], rtol=1e-5)


def test_norms_and_distances_are_those_of_plain_loops():
    l2, fpgm = pruning.filter_l2(ARCHITECTURE, PARAMS), pruning.filter_fpgm(ARCHITECTURE, PARAMS)
    for name, layer in PARAMS.items():
        filters = [layer["kernel"][..., f].astype(np.float64).ravel() for f in range(layer["kernel"].shape[-1])]
        np.testing.assert_allclose(l2[name], [sum(w * w for w in f) ** 0.5 for f in filters], rtol=1e-5)
        distances = [sum(np.sqrt(np.sum((f - other) ** 2)) for other in filters) for f in filters]
        np.testing.assert_allclose(fpgm[name], distances, rtol=1e-5)


def plain_lamp(sizes):
    """Lee et al. 2021, equation 4, by the definition."""
    order = np.argsort(sizes, kind="stable")
    squares = sizes[order].astype(np.float64) ** 2
    scores = np.zeros(sizes.size)
    scores[order] = [squares[i] / squares[i:].sum() for i in range(squares.size)]
    return scores


def test_lamp_of_filters_and_of_weights():
    filters, weights = pruning.filter_lamp(ARCHITECTURE, PARAMS), pruning.weight_lamp(ARCHITECTURE, PARAMS)
    norms = pruning.filter_l1(ARCHITECTURE, PARAMS)
    for name, layer in PARAMS.items():
        np.testing.assert_allclose(filters[name], plain_lamp(np.asarray(norms[name])), rtol=1e-5)
        expected = plain_lamp(np.abs(layer["kernel"]).ravel()).reshape(layer["kernel"].shape)
        np.testing.assert_allclose(weights[name], expected, rtol=1e-4)
        assert np.max(weights[name]) == 1


def test_lamp_gives_each_layer_its_own_amount_whatever_its_scale():
    scaled = {name: {**layer, "kernel": layer["kernel"] * 3**i} for i, (name, layer) in enumerate(PARAMS.items())}
    first, second = (pruning.weight_masks(ARCHITECTURE, p, 0.9, criterion="weight_lamp") for p in (PARAMS, scaled))
    counts = [{name: int(np.sum(layer["kernel"])) for name, layer in masks.items()} for masks in (first, second)]
    for name, kernel in ((name, layer["kernel"]) for name, layer in PARAMS.items()):
        assert abs(counts[0][name] - counts[1][name]) <= 1
        assert 1 <= counts[0][name] < kernel.size
    shares = [counts[0][name] / layer["kernel"].size for name, layer in PARAMS.items()]
    assert max(shares) > 2 * min(shares)


@pytest.mark.parametrize(("name", "kind"), [("random", "filter"), ("weight_random", "weight")])
def test_random_scores_depend_on_the_seed_and_the_layers_name_alone(name, kind):
    first = pruning.scores(name, ARCHITECTURE, PARAMS, kind=kind)
    other_weights = helpers.random_variables(ARCHITECTURE, 5)["params"]
    chex.assert_trees_all_equal(pruning.scores(name, ARCHITECTURE, other_weights, kind=kind, seed=0), first)
    second = pruning.scores(name, ARCHITECTURE, PARAMS, kind=kind, seed=1)
    for layer, values in first.items():
        assert np.all((np.asarray(values) >= 0) & (np.asarray(values) < 1))
        assert np.all(np.asarray(values) != np.asarray(second[layer]))
    # 3x3 of 8 inputs and 8 filters, both of them.
    assert np.all(np.asarray(first["conv_02"]) != np.asarray(first["conv_06"]))


def test_a_layer_of_zeros_scores_zero():
    params = jax.tree.map(np.zeros_like, PARAMS)
    names = ("mean_square", "l1", "l2", "fpgm", "lamp", "magnitude", "weight_lamp")
    for scores in (pruning.CRITERIA[name].score(ARCHITECTURE, params) for name in names):
        assert all(np.all(np.asarray(leaf) == 0) for leaf in scores.values())


@pytest.mark.parametrize("criterion", ["l1", "l2", "fpgm", "mean_square"])
def test_a_nan_never_makes_others_go(criterion):
    params = jax.tree.map(np.copy, PARAMS)
    params["conv_02"]["kernel"][0, 0, 0, 3] = np.nan
    masks = pruning.filter_masks(ARCHITECTURE, params, 0.4, criterion=criterion)
    kept = np.asarray(masks["conv_02"]["bias"])
    assert kept[3]
    assert criterion in ("l1", "l2") or kept.all()  # the layer's norm, or each distance to it, is NaN


def test_the_size_of_the_batch_norms_scale():
    params = jax.tree.map(np.copy, PARAMS)
    params["conv_02"]["scale"] *= -1
    scores = pruning.filter_bn_scale(ARCHITECTURE, params)
    for name, layer in PARAMS.items():
        np.testing.assert_array_equal(scores[name], layer.get("scale", np.full(layer["bias"].shape, np.inf)))


def test_filters_without_batch_norm_are_never_dropped_by_its_scale():
    plain = dataclasses.replace(ARCHITECTURE.layers[2], batch_normalize=False)
    architecture = Architecture(ARCHITECTURE.net, (*ARCHITECTURE.layers[:2], plain, *ARCHITECTURE.layers[3:]))
    masks = pruning.filter_masks(
        architecture, helpers.random_variables(architecture)["params"], 0.9, criterion="bn_scale"
    )
    assert np.all(masks["conv_02"]["bias"])
    assert not np.all(masks["conv_00"]["bias"])


def test_every_criterion_says_where_it_is_from_under_its_own_name():
    for name, criterion in pruning.CRITERIA.items():
        assert criterion.name == name
        assert criterion.reference
    assert pruning.CRITERIA["l1"].scope == "layer"
    assert all(pruning.CRITERIA[name].kind == kind for kind, name in pruning.DEFAULT_CRITERIA.items())
