import itertools

import numpy as np
import pytest

from tests import helpers
from yolojax import pruning
from yolojax.network import with_filters
from yolojax.pruning.allocation import unit_costs

ARCHITECTURE = helpers.small_architecture(size=64)
PARAMS = helpers.random_variables(ARCHITECTURE)["params"]


def work(architecture):
    return pruning.macs(architecture, 64, 64)


def scores(seed=0):
    rng = np.random.default_rng(seed)
    return {conv.name: rng.random(conv.layer.filters, np.float32) for conv in ARCHITECTURE.convolutions}


def kept(masks):
    return {name: np.asarray(layer["bias"]) for name, layer in masks.items()}


@pytest.mark.parametrize("allocation", ["cost", "global", "uniform"])
@pytest.mark.parametrize("share", [0.9, 0.5, 0.3])
def test_the_budget_is_met_from_below_within_one_group(allocation, share):
    target = share * work(ARCHITECTURE)
    options = {"cost": work, "target": target, "allocation": allocation}
    masks = pruning.budget_masks(ARCHITECTURE, PARAMS, scores(), **options)
    smaller, _ = pruning.remove_filters(ARCHITECTURE, helpers.random_variables(ARCHITECTURE), masks)
    assert work(smaller) <= target
    # With any of the dropped groups back, the last one in the order among them, it would be too much.
    sizes = pruning.group_sizes(ARCHITECTURE)
    counts = {name: int(keep.sum()) for name, keep in kept(masks).items()}
    more = [
        work(with_filters(ARCHITECTURE, counts | {name: counts[name] + sizes[name]}))
        for name, keep in kept(masks).items()
        if sizes[name] and not keep.all()
    ]
    assert max(more) > target


def test_one_threshold_over_score_per_cost():
    found, values = scores(), unit_costs(ARCHITECTURE, work, pruning.prunable(ARCHITECTURE, "filter"))
    masks = pruning.budget_masks(ARCHITECTURE, PARAMS, found, cost=work, target=0.5 * work(ARCHITECTURE))
    sizes, dropped, stayed = pruning.group_sizes(ARCHITECTURE), [], []
    for name, value in values.items():
        groups = found[name].astype(np.float64).reshape(-1, sizes[name]).mean(axis=1)
        keep = kept(masks)[name][:: sizes[name]]
        dropped += list(groups[~keep] / value)
        stayed += list(np.delete(groups, np.argmax(groups))[np.delete(keep, np.argmax(groups))] / value)
    assert max(dropped) < min(stayed)  # the best of each layer, which is its floor, apart


def test_what_a_filter_costs_by_hand():
    # conv_02 is 3x3 of 8 inputs on 32x32; conv_04, 1x1 on 16x16, has 8 filters that read it.
    costs = unit_costs(ARCHITECTURE, work, ["conv_02"])
    assert costs["conv_02"] == 9 * 8 * 32 * 32 + 8 * 16 * 16


def test_uniform_takes_the_same_share_of_each_layer():
    masks = pruning.budget_masks(
        ARCHITECTURE, PARAMS, scores(), cost=work, target=0.4 * work(ARCHITECTURE), allocation="uniform"
    )
    shares = [keep.mean() for name, keep in kept(masks).items() if pruning.group_sizes(ARCHITECTURE)[name] == 1]
    assert max(shares) - min(shares) <= 1 / 8


@pytest.mark.parametrize("round_to", [2, 4])
def test_the_floor_and_the_grid(round_to):
    limits = pruning.Limits(floor=0.5, round_to=round_to, exclude=("conv_00",))
    masks = pruning.budget_masks(
        ARCHITECTURE, PARAMS, scores(), cost=work, target=0.8 * work(ARCHITECTURE), limits=limits
    )
    for keep in kept(masks).values():
        assert keep.sum() % round_to == 0 or keep.size < 4 * round_to or keep.all()
        assert keep.mean() >= 0.5
    assert kept(masks)["conv_00"].all()
    with pytest.raises(ValueError, match=r"a cost of 100 cannot be met, expected at least 1,298,432 \(of 1,775,616\)"):
        pruning.budget_masks(ARCHITECTURE, PARAMS, scores(), cost=work, target=100, limits=limits)


def test_equal_scores_go_one_by_one_and_infinite_ones_stay():
    equal = {name: np.ones_like(values) for name, values in scores().items()}
    equal["conv_06"][:] = np.inf
    targets = [share * work(ARCHITECTURE) for share in (0.9, 0.8, 0.7)]
    counts = []
    for target in targets:
        masks = pruning.budget_masks(ARCHITECTURE, PARAMS, equal, cost=work, target=target, allocation="global")
        assert kept(masks)["conv_06"].all()
        counts.append(sum(int(keep.sum()) for keep in kept(masks).values()))
    assert all(before > after for before, after in itertools.pairwise(counts))


def test_mistakes():
    with pytest.raises(ValueError, match="allocation 'best', expected one of cost, global, uniform"):
        pruning.budget_masks(ARCHITECTURE, PARAMS, scores(), cost=work, target=1, allocation="best")
