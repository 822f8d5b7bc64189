import jax
import numpy as np
import pandas as pd
import pytest

from tests import helpers
from yolojax import inspection, pruning
from yolojax.network import Architecture, Convolutional, Net, Reorg, Route

# 16 filters before the reorg, so that there are four groups.
SMALL = helpers.small_architecture()
ARCHITECTURE = Architecture(SMALL.net, (*SMALL.layers[:8], Convolutional(16), *SMALL.layers[9:]))
PARAMS = helpers.random_variables(ARCHITECTURE, 1)["params"]
NAMES = list(PARAMS)
NO_THRESHOLD = ["head", "excluded", "nothing had to go", "amount does not name its layer"]


def kept_filters(table):
    """{layer: (filters,) bool} of a table of `filters`."""
    return {name: np.repeat(rows["kept"], rows["count"]).tolist() for name, rows in table.groupby("layer")}


def plain_scores(params, criterion):
    """{layer: (groups,)} by NumPy."""
    scores = {}
    for name, size in pruning.group_sizes(ARCHITECTURE).items():
        kernel = np.asarray(params[name]["kernel"], np.float64)
        if criterion == "l1":
            values = np.abs(kernel).sum((0, 1, 2))
        else:
            values = np.square(kernel).mean((0, 1, 2))
            values /= np.linalg.norm(values)
        scores[name] = values.reshape(-1, size or 1).mean(1)
    return scores


OPTIONS = [
    {"amount": 0.4},
    {"amount": 0.4, "min_filters": 3, "exclude": ("conv_02", "conv_06")},
    {"amount": 0.6, "min_filters": 5},
    {"amount": 0.4, "round_to": 2},
    {"amount": 0.5, "criterion": "l1"},
    {"amount": 0.3, "criterion": "l1", "scope": "global"},
    {"amount": 0.5, "criterion": pruning.CRITERIA["mean_square"]},
    {"amount": 0.5, "criterion": pruning.filter_mean_square},
    {"amount": 0.5, "scope": "layer", "min_filters": 5},
    {"amount": {"conv_00": 0.5, "conv_08": 0.3, "conv_11": 0.0}},
    {"amount": 0.0},
    {"amount": 0.99},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_it_keeps_what_the_masks_keep_and_its_reasons_account_for_it(options):
    table = inspection.filters(ARCHITECTURE, PARAMS, **options)
    masks = pruning.filter_masks(ARCHITECTURE, PARAMS, **options)
    assert kept_filters(table) == {name: np.asarray(layer["bias"]).tolist() for name, layer in masks.items()}
    scores = plain_scores(PARAMS, options.get("criterion", "mean_square"))
    for name, rows in table.groupby("layer"):
        np.testing.assert_allclose(rows["score"], scores[name], rtol=1e-5)
        assert rows["filter"].tolist() == np.cumsum([0, *rows["count"]])[:-1].tolist()
    below = table["score"] <= table["threshold"]
    assert table.loc[~table["kept"], "reason"].str.contains("at or below the threshold").all()
    assert below[~table["kept"]].all()
    above = table["reason"].str.contains("above the threshold")
    assert (above == (table["score"] > table["threshold"])).all()
    assert table["threshold"].isna().equals(table["reason"].isin(NO_THRESHOLD))


def test_one_threshold_for_all_layers_is_the_highest_score_that_went():
    table = inspection.filters(ARCHITECTURE, PARAMS, 0.4)
    (threshold,) = table["threshold"].dropna().unique()
    assert threshold == table.loc[~table["kept"], "score"].max()
    assert table.loc[table["layer"] == "conv_08", "count"].tolist() == [4, 4, 4, 4]
    groups = table.loc[table["layer"] == "conv_08", "reason"]
    assert groups.str.startswith("mean of the group ").all()
    assert (table.loc[table["layer"] == NAMES[-1], "reason"] == "head").all()


def test_a_threshold_for_each_layer():
    table = inspection.filters(ARCHITECTURE, PARAMS, 0.5, criterion="l1").set_index("layer")
    for name in NAMES[:-1]:
        rows = table.loc[name]
        assert rows["threshold"].nunique() == 1
        assert (~rows["kept"]).sum() == len(rows) // 2
        assert rows["threshold"].iloc[0] == np.sort(rows["score"])[len(rows) // 2 - 1]


def test_the_best_of_a_layer_stay_below_the_threshold():
    table = inspection.filters(ARCHITECTURE, PARAMS, 0.6, min_filters=5)
    best = table[table["reason"].str.startswith("among the layer's best")]
    assert (best["score"] <= best["threshold"]).all()
    assert set(best["reason"]) <= {"among the layer's best 5", "among the layer's best 8"}
    for _, rows in best.groupby("layer"):
        others = table[(table["layer"] == rows["layer"].iloc[0]) & ~table["kept"]]
        assert others["score"].max() <= rows["score"].min()
    assert len(best) > 0


def test_what_a_grid_takes_back():
    free = inspection.filters(ARCHITECTURE, PARAMS, 0.4)
    grid = inspection.filters(ARCHITECTURE, PARAMS, 0.4, round_to=2)
    back = grid["kept"] & ~free["kept"]
    assert back.any()
    assert (grid["threshold"].dropna() == free["threshold"].dropna()).all()
    assert grid.loc[back, "reason"].isin(["kept for a multiple of 2"]).all()
    assert grid.loc[~back, "reason"].equals(free.loc[~back, "reason"])


def test_equal_scores():
    params = jax.tree.map(np.ones_like, PARAMS)
    table = inspection.filters(ARCHITECTURE, params, 0.5, scope="layer").set_index("layer")
    assert table.loc["conv_00", "reason"].tolist() == ["at or below the threshold"] * 4 + [
        *["equal to the threshold, later in order"] * 3,
        "among the layer's best 1",
    ]


def test_a_score_that_is_not_finite_is_kept():
    params = {**PARAMS, "conv_02": jax.tree.map(lambda leaf: np.full_like(leaf, np.nan), PARAMS["conv_02"])}
    table = inspection.filters(ARCHITECTURE, params, 0.4)
    rows = table[table["layer"] == "conv_02"]
    assert rows["kept"].all()
    assert (rows["reason"] == "score is not finite").all()
    assert np.isfinite(table["threshold"].dropna()).all()


def test_convolutions_out_of_line_with_a_reorg_stay():
    layers = (Convolutional(6), Convolutional(10), Route((0, 1)), Reorg(2), Convolutional(3))
    architecture = Architecture(Net(8, 8), layers)
    params = helpers.random_variables(architecture)["params"]
    table = inspection.filters(architecture, params, 0.5)
    assert table["reason"].value_counts().to_dict() == {"they reach a reorg unaligned": 16, "head": 3}
    assert table["kept"].all()


def test_scores_of_ones_own_without_the_head():
    scores = pruning.filter_l1(ARCHITECTURE, PARAMS)
    partial = {name: values for name, values in scores.items() if name != NAMES[-1]}
    table = inspection.filters(ARCHITECTURE, PARAMS, 0.5, criterion=partial, scope="layer")
    whole = inspection.filters(ARCHITECTURE, PARAMS, 0.5, criterion="l1")
    head = table["layer"] == NAMES[-1]
    assert table[head]["score"].isna().all()
    assert (table[head]["reason"] == "head").all()
    pd.testing.assert_frame_equal(table[~head], whole[~head])
    masks = pruning.filter_masks(ARCHITECTURE, PARAMS, 0.5, criterion="l1")
    table = inspection.masked_filters(ARCHITECTURE, PARAMS, masks, criterion=partial)
    head = table["layer"] == NAMES[-1]
    assert table[head]["score"].isna().all()
    np.testing.assert_array_equal(table[~head]["score"], np.concatenate(list(partial.values())))


def test_a_criterion_that_needs_batches_may_have_them_once():
    variables = helpers.random_variables(ARCHITECTURE, 1)
    batches = [helpers.random_batch(np.random.default_rng(0), 2, 32)]
    options = {"criterion": "taylor", "batch_stats": variables["batch_stats"]}
    table = inspection.filters(ARCHITECTURE, PARAMS, 0.4, batches=iter(batches), **options)
    masks = pruning.filter_masks(ARCHITECTURE, PARAMS, 0.4, batches=batches, **options)
    assert kept_filters(table) == {name: np.asarray(layer["bias"]).tolist() for name, layer in masks.items()}
    rows = inspection.masked_filters(ARCHITECTURE, PARAMS, masks, batches=iter(batches), **options)
    scores = pruning.filter_taylor(ARCHITECTURE, variables, batches)
    np.testing.assert_allclose(rows["score"], np.concatenate(list(scores.values())))


def test_mistakes_are_those_of_filter_masks():
    with pytest.raises(ValueError, match=r"amount 1\.5, expected a fraction"):
        inspection.filters(ARCHITECTURE, PARAMS, 1.5)
    with pytest.raises(ValueError, match="exclude names 'conv_99'"):
        inspection.filters(ARCHITECTURE, PARAMS, 0.5, exclude=("conv_99",))


def test_what_masks_leave_of_each_filter():
    masks = pruning.filter_masks(ARCHITECTURE, PARAMS, 0.4)
    table = inspection.masked_filters(ARCHITECTURE, PARAMS, masks)
    assert len(table) == sum(layer["bias"].size for layer in PARAMS.values())
    for name, rows in table.groupby("layer"):
        kept = np.asarray(masks[name]["bias"])
        assert rows["kept"].tolist() == kept.tolist()
        assert rows["weights_kept"].tolist() == kept.astype(float).tolist()
        assert rows["filter"].tolist() == list(range(kept.size))
        assert rows.sort_values("score")["rank"].tolist() == list(range(kept.size))
        if name != "conv_08":  # its groups go by their mean
            assert sorted(rows.loc[~rows["kept"], "rank"]) == list(range((~kept).sum()))


def test_what_weight_masks_leave_of_each_filter():
    masks = pruning.weight_masks(ARCHITECTURE, PARAMS, 0.8)
    table = inspection.masked_filters(ARCHITECTURE, PARAMS, masks, criterion="l1").set_index("layer")
    assert table["kept"].all()
    for name in NAMES:
        kernel = np.asarray(masks[name]["kernel"])
        np.testing.assert_allclose(table.loc[name, "weights_kept"].mean(), kernel.mean(), rtol=1e-12)
        np.testing.assert_allclose(table.loc[name, "score"], plain_filter_l1(name), rtol=1e-5)
    with pytest.raises(ValueError, match="criterion 'l7', expected one of mean_square, l1"):
        inspection.masked_filters(ARCHITECTURE, PARAMS, masks, criterion="l7")
    with pytest.raises(ValueError, match="masks do not fit the parameters"):
        inspection.masked_filters(ARCHITECTURE, PARAMS, {})


def plain_filter_l1(name):
    return np.abs(np.asarray(PARAMS[name]["kernel"], np.float64)).sum((0, 1, 2))
