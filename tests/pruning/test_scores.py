import re

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import helpers
from yolojax import pruning
from yolojax.pruning.scores import resolve

ARCHITECTURE = helpers.small_architecture()
VARIABLES = helpers.random_variables(ARCHITECTURE)
PARAMS, BATCH_STATS = VARIABLES["params"], VARIABLES["batch_stats"]
HEAD = ARCHITECTURE.head_name


def l1(architecture, params):
    """What a notebook would write, with NumPy and float64."""
    return {name: np.abs(np.asarray(layer["kernel"], np.float64)).sum((0, 1, 2)) for name, layer in params.items()}


def magnitude(architecture, params):
    return {name: abs(layer["kernel"]) for name, layer in params.items()}


def variance(architecture, variables):
    """A layer's variances of what its filters give; 1 without batch norm."""
    statistics = variables["batch_stats"]
    return {
        name: statistics[name]["var"] if name in statistics else jnp.ones(layer["bias"].shape)
        for name, layer in variables["params"].items()
    }


@pytest.mark.parametrize("needs", [pruning.Needs.IMAGES, pruning.Needs.BATCHES])
def test_a_criterion_that_sees_batches(needs):
    def brightness(architecture, variables, batches):
        total = sum(float(batch["image"].mean()) for batch in batches)
        return {name: total * scale for name, scale in variance(architecture, variables).items()}

    criterion = pruning.Criterion("brightness", "filter", brightness, needs)
    batches = [{"image": np.full((1, 2, 2, 3), value, np.uint8)} for value in (1, 2)]
    assert needs.data
    options = {"kind": "filter", "batch_stats": BATCH_STATS}
    found = pruning.scores(criterion, ARCHITECTURE, PARAMS, batches=iter(batches), **options)
    np.testing.assert_allclose(found["conv_00"], 3 * BATCH_STATS["conv_00"]["var"], rtol=1e-6)
    labels = "" if needs is pruning.Needs.IMAGES else ", 'truth': ..."
    with pytest.raises(ValueError, match=re.escape(f"pass batches=[{{'image': ...{labels}}}, ...]")):
        pruning.scores(criterion, ARCHITECTURE, PARAMS, **options)


@pytest.mark.parametrize("criterion", sorted(name for name, c in pruning.CRITERIA.items() if c.kind == "weight"))
def test_a_name_is_its_registered_function_for_weights(criterion):
    found = pruning.scores(criterion, ARCHITECTURE, PARAMS, kind="weight")
    chex.assert_trees_all_equal(found, pruning.CRITERIA[criterion].score(ARCHITECTURE, PARAMS))


def test_a_function_and_its_scores_give_the_masks_of_the_name():
    for scope in ("layer", "global"):
        expected = pruning.filter_masks(ARCHITECTURE, PARAMS, 0.4, criterion="l1", scope=scope)
        for criterion in (l1, l1(ARCHITECTURE, PARAMS), lambda a, p: l1(a, p)):
            found = pruning.filter_masks(ARCHITECTURE, PARAMS, 0.4, criterion=criterion, scope=scope)
            chex.assert_trees_all_equal(found, expected)
    expected = pruning.weight_masks(ARCHITECTURE, PARAMS, 0.4)
    for criterion in (magnitude, magnitude(ARCHITECTURE, PARAMS)):
        chex.assert_trees_all_equal(pruning.weight_masks(ARCHITECTURE, PARAMS, 0.4, criterion=criterion), expected)


def test_a_function_is_ranked_over_all_layers_and_a_criterion_as_it_was_published():
    by_scope = {
        scope: pruning.filter_masks(ARCHITECTURE, PARAMS, 0.4, criterion=l1, scope=scope)
        for scope in ("layer", "global")
    }
    own = pruning.Criterion("own", "filter", l1, scope="layer")
    for criterion, scope in ((l1, "global"), (l1(ARCHITECTURE, PARAMS), "global"), (own, "layer"), ("l1", "layer")):
        found = pruning.filter_masks(ARCHITECTURE, PARAMS, 0.4, criterion=criterion)
        chex.assert_trees_all_equal(found, by_scope[scope])


def test_a_criterion_that_needs_statistics():
    criterion = pruning.Criterion("variance", "filter", variance, pruning.Needs.STATISTICS)
    found = pruning.scores(criterion, ARCHITECTURE, PARAMS, kind="filter", batch_stats=BATCH_STATS)
    chex.assert_trees_all_equal(found, variance(ARCHITECTURE, VARIABLES))
    masks = pruning.filter_masks(ARCHITECTURE, PARAMS, {"conv_00": 0.5}, criterion=criterion, batch_stats=BATCH_STATS)
    order = np.argsort(BATCH_STATS["conv_00"]["var"])
    np.testing.assert_array_equal(np.flatnonzero(~masks["conv_00"]["bias"]), np.sort(order[:4]))
    with pytest.raises(ValueError, match=r"'variance' needs batch_stats; pass batch_stats=variables\['batch_stats'\]"):
        pruning.filter_masks(ARCHITECTURE, PARAMS, 0.4, criterion=criterion)


@pytest.mark.parametrize("make", [pruning.weight_masks, pruning.filter_masks])
def test_functions_under_jit(make):
    def score(architecture, params):
        tree = pruning.weight_magnitude(architecture, params)
        return tree if make is pruning.weight_masks else {name: jnp.sum(s, (0, 1, 2)) for name, s in tree.items()}

    compiled = jax.jit(lambda params: make(ARCHITECTURE, params, 0.4, criterion=score))
    chex.assert_trees_all_equal(compiled(PARAMS), make(ARCHITECTURE, PARAMS, 0.4, criterion=score))


def test_filters_that_have_to_stay_need_no_scores():
    scores = pruning.filter_mean_square(ARCHITECTURE, PARAMS)
    partial = {name: values for name, values in reversed(scores.items()) if name != HEAD}
    found = pruning.scores(partial, ARCHITECTURE, PARAMS, kind="filter")
    assert list(found) == [conv.name for conv in ARCHITECTURE.convolutions[:-1]]
    masks = pruning.filter_masks(ARCHITECTURE, PARAMS, 0.4, criterion=partial)
    chex.assert_trees_all_equal(masks, pruning.filter_masks(ARCHITECTURE, PARAMS, 0.4))


def test_a_weight_whose_score_is_nan_of_either_sign_stays():
    scores = magnitude(ARCHITECTURE, PARAMS)
    scores["conv_00"] = np.copy(scores["conv_00"])
    scores["conv_00"][0, 0, 0, :2] = np.nan, np.copysign(np.float32(np.nan), np.float32(-1))
    masks = pruning.weight_masks(ARCHITECTURE, PARAMS, 0.9, criterion=scores)
    assert masks["conv_00"]["kernel"][0, 0, 0, :2].all()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"conv_02": None}, r"\n  conv_02: missing, expected \(8,\)$"),
        ({"conv_99": np.ones(3, np.float32)}, r"\n  conv_99: no such convolution$"),
        ({"conv_02": np.ones((8, 1), np.float32)}, r"\n  conv_02: shape \(8, 1\), expected \(8,\)$"),
        ({"conv_02": np.ones(8, np.int32)}, r"\n  conv_02: int32, expected floats$"),
        ({"conv_02": [1.0] * 8}, r"\n  conv_02: a list, expected an array of shape \(8,\)$"),
        ({"conv_02": None, HEAD: np.ones(4, np.float32)}, r"\n  conv_02: missing, .*\n  conv_12: shape \(4,\), "),
    ],
)
def test_scores_that_do_not_fit_are_listed(change, problem):
    scores = {name: value for name, value in {**l1(ARCHITECTURE, PARAMS), **change}.items() if value is not None}
    with pytest.raises(
        ValueError, match=r"the scores of criterion 'ready scores' do not fit the architecture:" + problem
    ):
        pruning.filter_masks(ARCHITECTURE, PARAMS, 0.4, criterion=scores)


@pytest.mark.parametrize(
    ("make", "criterion", "message"),
    [
        (
            pruning.filter_masks,
            "magnitude",
            "criterion 'magnitude', expected one of mean_square, l1, l2, fpgm, lamp, bn_scale, taylor, fisher, ",
        ),
        (pruning.weight_masks, "l1", "criterion 'l1', expected one of magnitude, weight_lamp, weight_random$"),
        (
            pruning.weight_masks,
            pruning.CRITERIA["l1"],
            "criterion 'l1' scores each filter, expected one for each weight",
        ),
        (pruning.weight_masks, l1, r"criterion 'l1' do not fit the architecture:\n  conv_00: shape \(8,\), expected"),
        (
            pruning.filter_masks,
            lambda a, p: [1.0],
            "criterion '<lambda>' returned a list, expected {convolution: scores}",
        ),
        (
            pruning.weight_masks,
            lambda a, p: {name: layer["kernel"] for name, layer in p.items()},
            "criterion '<lambda>' scores weights of conv_00 below 0; the least important must score 0",
        ),
    ],
)
def test_mistakes(make, criterion, message):
    with pytest.raises(ValueError, match=message):
        make(ARCHITECTURE, PARAMS, 0.4, criterion=criterion)


def test_what_is_no_criterion():
    with pytest.raises(ValueError, match="criterion is a NoneType, expected a name, a Criterion, a function"):
        resolve(None, "filter")
