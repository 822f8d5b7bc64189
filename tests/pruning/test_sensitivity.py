import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import helpers
from yolojax import pruning
from yolojax.pruning import Curve, amounts_from_curves, sensitivity_scores

AMOUNTS = (0.1, 0.3, 0.5, 0.7, 0.9)


def test_the_robust_layer_gives_more():
    curves = {
        "fragile": Curve(100, (0.5,), (0.2,)),
        "robust": Curve(100, (0.5,), (0.7,)),
    }
    # The level 0.6 leaves fragile 0.5 * 0.2 / 0.6 and robust all of its 0.5.
    amounts = amounts_from_curves(curves, 0.8, (50 + 100 / 6) / 200, 200)
    assert amounts == pytest.approx({"fragile": 1 / 6, "robust": 0.5}, abs=1e-6)


def test_a_curve_that_recovers_counts_with_its_lowest_value_before():
    curves = {"a": Curve(10, (0.2, 0.4), (0.1, 0.9)), "b": Curve(10, (0.2, 0.4), (0.5, 0.5))}
    amounts = amounts_from_curves(curves, 0.9, 0.2, 20)
    assert amounts["b"] > amounts["a"]


def test_flat_curves_still_give_the_exact_amount():
    curves = {"a": Curve(10, (0.5, 0.9), (0.0, 0.0)), "b": Curve(30, (0.5, 0.9), (0.0, 0.0))}
    amounts = amounts_from_curves(curves, 0.0, 0.6, 40)
    assert (10 * amounts["a"] + 30 * amounts["b"]) / 40 == pytest.approx(0.6)


def test_mistakes():
    curves = {"a": Curve(10, (0.5,), (0.1,))}
    with pytest.raises(ValueError, match=r"amount 0.6 is more than the sensitivity analysis covers \(0.500\)"):
        amounts_from_curves(curves, 0.9, 0.6, 10)
    with pytest.raises(ValueError, match=r"amount 1\.0, expected a fraction"):
        amounts_from_curves(curves, 0.9, 1.0, 10)


@given(
    st.lists(
        st.tuples(st.integers(1, 1000), st.lists(st.floats(0, 1), min_size=5, max_size=5)), min_size=1, max_size=5
    ),
    st.floats(0, 1),
    st.floats(0, 0.89),
)
@settings(max_examples=200, deadline=None)
def test_all_layers_fall_to_one_level(layers, original, amount):
    curves = {f"l{i}": Curve(size, AMOUNTS, scores) for i, (size, scores) in enumerate(layers)}
    total = sum(size for size, _ in layers)
    found = amounts_from_curves(curves, original, amount, total)
    assert sum(found[name] * curves[name].size for name in curves) == pytest.approx(amount * total, abs=1e-6 * total)
    assert all(0 <= value <= 0.9 + 1e-12 for value in found.values())
    # No layer that still gives could be at a worse level than one that could give more: compare by interpolation.
    levels = {}
    for name, curve in curves.items():
        scores = np.minimum.accumulate([original, *curve.scores])
        levels[name] = (
            np.interp(min(found[name] + 1e-6, 0.9), (0, *AMOUNTS), scores) if found[name] < 0.9 else -1,
            np.interp(max(found[name] - 1e-6, 0), (0, *AMOUNTS), scores) if found[name] > 0 else 2,
        )
    assert max(could for could, _ in levels.values()) <= min(gave for _, gave in levels.values()) + 1e-3


ARCHITECTURE = helpers.small_architecture(size=64)
PARAMS = helpers.random_variables(ARCHITECTURE)["params"]


def plain_worth(scores, curve, original, size):
    """Filter by filter: how far the curve has fallen, at its lowest so far, where the filter goes as the last."""
    means = [float(np.mean(scores[i : i + size], dtype=np.float64)) for i in range(0, len(scores), size)]
    points = [(0.0, original), *zip(curve.amounts, curve.scores, strict=True)]
    worth = []
    for mean in means:
        share = sum(other <= mean for other in means) / len(means)
        if share > points[-1][0]:
            worth += [np.inf] * size
            continue
        lowest, fallen = original, original
        for (a, _), (b, right) in itertools.pairwise(points):
            after = min(lowest, right)
            if a < share <= b:
                fallen = lowest + (after - lowest) * (share - a) / (b - a)
            lowest = after
        worth += [original - fallen] * size
    return worth


def test_what_filters_are_worth_by_the_curve_of_their_layer():
    scores = {name: np.asarray(values) for name, values in pruning.filter_l2(ARCHITECTURE, PARAMS).items()}
    scores["conv_02"] = scores["conv_02"].copy()
    scores["conv_02"][3] = np.nan
    curves = {
        "conv_00": Curve(8, (0.25, 0.5, 1.0), (0.55, 0.1, 0.3)),  # recovers
        "conv_06": Curve(8, (0.3, 0.6), (0.5, 0.4)),
        "conv_08": Curve(4, (1.0,), (0.2,)),
        "conv_02": Curve(8, (0.9,), (0.6,)),
    }
    worth = sensitivity_scores(ARCHITECTURE, scores, curves, 0.6)
    assert worth.keys() == scores.keys()
    for name in ("conv_00", "conv_06", "conv_08"):
        expected = plain_worth(scores[name], curves[name], 0.6, pruning.group_sizes(ARCHITECTURE)[name])
        np.testing.assert_allclose(worth[name], expected, atol=2e-9)
    # The curve of conv_00 is flat over its last half, where the order is still that of the scores.
    np.testing.assert_array_equal(np.argsort(worth["conv_00"]), np.argsort(scores["conv_00"]))
    assert np.isinf(worth["conv_06"]).sum() == 4
    assert np.isinf(worth["conv_02"][3])
    assert np.isinf(worth["conv_04"]).all()


def test_a_budget_takes_filters_where_the_damage_for_their_cost_is_least():
    scores = pruning.filter_l2(ARCHITECTURE, PARAMS)
    names = pruning.prunable(ARCHITECTURE, "filter")
    slopes = {name: 0.1 * (i + 1) for i, name in enumerate(names)}
    curves = {name: Curve(size, (1.0,), (0.9 - slopes[name],)) for name, size in names.items()}
    worth = sensitivity_scores(ARCHITECTURE, scores, curves, 0.9)

    def work(architecture):
        return pruning.macs(architecture, 64, 64)

    limits = pruning.Limits(floor=0.0)
    for allocation in ("global", "cost"):
        masks = pruning.budget_masks(
            ARCHITECTURE,
            PARAMS,
            worth,
            cost=work,
            target=0.5 * work(ARCHITECTURE),
            allocation=allocation,
            limits=limits,
        )
        costs = pruning.allocation.unit_costs(ARCHITECTURE, work, names) if allocation == "cost" else {}
        gone, stay = [], []
        for name in worth:
            keep = np.asarray(masks[name]["bias"])
            if np.isinf(worth[name]).all():
                continue
            each = worth[name] / costs.get(name, 1.0)
            gone += list(each[~keep])
            stay += list(np.sort(each[keep])[:-1])  # one of each layer stays whatever it is worth
        assert gone
        assert max(gone) < min(stay)
