import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yolojax.pruning import erdos_renyi_counts

SHAPES = {"first": (3, 3, 3, 16), "middle": (3, 3, 64, 128), "last": (1, 1, 128, 30)}


def plain_densities(shapes, kept):
    """Evci et al. 2020, appendix A, layer by layer: those that would be denser than dense are dense."""
    raw = {name: sum(shape) / math.prod(shape) for name, shape in shapes.items()}
    dense = set()
    while True:
        free = [name for name in shapes if name not in dense]
        rest = kept - sum(math.prod(shapes[name]) for name in dense)
        epsilon = rest / sum(raw[name] * math.prod(shapes[name]) for name in free) if free else 0
        densities = {name: 1.0 if name in dense else epsilon * raw[name] for name in shapes}
        more = {name for name in free if densities[name] > 1}
        if not more:
            return densities
        dense |= more


def test_densities_by_hand():
    # Sides 25, 198 and 160: of 383 that stay each keeps as many as its sides add up to.
    sizes = {name: math.prod(shape) for name, shape in SHAPES.items()}
    counts = erdos_renyi_counts(SHAPES, sum(sizes.values()) - 383)
    assert {name: sizes[name] - count for name, count in counts.items()} == {"first": 25, "middle": 198, "last": 160}


def test_what_a_dense_layer_cannot_keep_the_others_do():
    counts = erdos_renyi_counts(SHAPES, 40_000)
    assert counts["first"] == counts["last"] == 0
    assert counts["middle"] == 40_000


@pytest.mark.parametrize("dropped", [0, 1, 78_000])
def test_the_ends(dropped):
    total = sum(math.prod(shape) for shape in SHAPES.values())
    assert total == 78_000
    counts = erdos_renyi_counts(SHAPES, dropped)
    assert sum(counts.values()) == dropped


@given(st.lists(st.tuples(*[st.integers(1, 40)] * 4), min_size=1, max_size=6), st.floats(0, 1))
@settings(max_examples=200, deadline=None)
def test_within_one_weight_of_the_plain_loop_and_exact_in_all(shapes, amount):
    layers = {f"l{i}": shape for i, shape in enumerate(shapes)}
    sizes = {name: math.prod(shape) for name, shape in layers.items()}
    dropped = round(amount * sum(sizes.values()))
    counts = erdos_renyi_counts(layers, dropped)
    assert sum(counts.values()) == dropped
    densities = plain_densities(layers, sum(sizes.values()) - dropped)
    for name, count in counts.items():
        assert 0 <= count <= sizes[name]
        assert abs(sizes[name] - count - densities[name] * sizes[name]) <= 1 + 1e-6
