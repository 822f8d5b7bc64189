import numpy as np
import pytest

from tests import helpers
from yolojax import pruning

ARCHITECTURE = helpers.small_architecture()
PARAMS = helpers.random_variables(ARCHITECTURE)["params"]
SCORES = pruning.weight_magnitude(ARCHITECTURE, PARAMS)
KERNELS = pruning.count_weights(PARAMS)
REST = pruning.count_nonzeros(PARAMS) - KERNELS


def make(cost, target, **options):
    return pruning.weight_budget_masks(ARCHITECTURE, PARAMS, SCORES, cost=cost, target=target, **options)


@pytest.mark.parametrize("scope", ["global", "erdos_renyi"])
@pytest.mark.parametrize("target", [1, 100, KERNELS // 3, KERNELS - 1, KERNELS, 10 * KERNELS])
def test_weights_to_the_exact_number(scope, target):
    masks = make(pruning.count_weights, target, scope=scope)
    assert pruning.count_weights(pruning.apply_masks(PARAMS, masks)) == min(target, KERNELS)
    assert all(np.all(leaf) for layer in masks.values() for name, leaf in layer.items() if name != "kernel")
    drop = KERNELS - min(target, KERNELS)
    expected = pruning.weight_masks(ARCHITECTURE, PARAMS, drop / KERNELS, scope=scope)
    for name, layer in masks.items():
        np.testing.assert_array_equal(layer["kernel"], expected[name]["kernel"])


def test_parameters_count_scales_and_biases_too():
    masks = make(pruning.count_nonzeros, REST + 50)
    assert pruning.count_nonzeros(pruning.apply_masks(PARAMS, masks)) == REST + 50


def test_where_layers_are_rounded_apart_the_budget_still_holds():
    for target in range(1000, 1012):
        left = pruning.count_weights(pruning.apply_masks(PARAMS, make(pruning.count_weights, target, scope="layer")))
        assert target - len(PARAMS) <= left <= target


def test_in_steps_it_is_met_from_below_within_one():
    left = pruning.count_weights(pruning.apply_masks(PARAMS, make(pruning.count_weights, 1000, steps=16)))
    assert 1000 - KERNELS / 16 - 1 < left <= 1000
    assert pruning.count_weights(pruning.apply_masks(PARAMS, make(pruning.count_weights, 1, steps=16))) == 1


def test_what_cannot_be_met():
    message = rf"a cost of 5 cannot be met, expected at least {REST + 1} \(of {REST + KERNELS:,}\)"
    with pytest.raises(ValueError, match=message):
        make(pruning.count_nonzeros, 5)


def test_a_linear_cost_needs_few_looks_and_any_other_at_most_twice_those_of_bisection():
    looks = []

    def curved(params):
        looks.append(None)
        return pruning.count_weights(params) ** 4

    masks = make(curved, 2000**4)
    assert pruning.count_weights(pruning.apply_masks(PARAMS, masks)) == 2000
    assert len(looks) <= 2 * np.log2(KERNELS) + 3
    looks.clear()

    def linear(params):
        looks.append(None)
        return pruning.count_weights(params)

    make(linear, 2000)
    assert len(looks) <= 6
