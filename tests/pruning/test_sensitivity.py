import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yolojax.pruning import Curve, amounts_from_curves

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
