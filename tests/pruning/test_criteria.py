import dataclasses

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


def test_a_layer_of_zeros_scores_zero():
    params = jax.tree.map(np.zeros_like, PARAMS)
    for scores in (pruning.filter_mean_square(ARCHITECTURE, params), pruning.filter_l1(ARCHITECTURE, params)):
        assert all(np.all(np.asarray(leaf) == 0) for leaf in scores.values())


@pytest.mark.parametrize("criterion", ["l1", "mean_square"])
def test_a_nan_never_makes_others_go(criterion):
    params = jax.tree.map(np.copy, PARAMS)
    params["conv_02"]["kernel"][0, 0, 0, 3] = np.nan
    masks = pruning.filter_masks(ARCHITECTURE, params, 0.4, criterion=criterion)
    kept = np.asarray(masks["conv_02"]["bias"])
    assert kept[3]
    assert criterion == "l1" or kept.all()  # the layer's norm is NaN


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
