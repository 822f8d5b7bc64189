import math

import numpy as np
import pandas as pd

from tests import helpers
from yolojax import inspection, pruning

ARCHITECTURE = helpers.small_architecture()
VARIABLES = helpers.random_variables(ARCHITECTURE)


def test_two_small_trees_by_hand():
    first = {"conv_00": {"kernel": np.array([3.0, 4.0, 0.0, 0.0]), "bias": np.array([0.0])}}
    second = {"conv_00": {"kernel": np.array([3.0, 2.0, 1.0, 0.0]), "bias": np.array([2.0])}}
    table = inspection.difference(first, second)
    expected = pd.DataFrame(
        {
            "shape": ["1", "4", ""],
            "other_shape": ["1", "4", ""],
            "max_abs": [2.0, 2.0, 2.0],
            "mean_abs": [2.0, 0.75, 1.0],
            "relative_l2": [math.inf, math.sqrt(5) / 5, 3 / 5],
            "changed": [1.0, 0.5, 3 / 5],
            "zeros": [1, 2, 3],
            "other_zeros": [0, 1, 1],
        },
        index=pd.Index(["conv_00/bias", "conv_00/kernel", "total"], name="leaf"),
    )
    pd.testing.assert_frame_equal(table, expected)


def test_a_network_does_not_differ_from_itself():
    table = inspection.difference(VARIABLES, VARIABLES)
    assert len(table) == len(inspection.leaves(VARIABLES, statistics=True)) + 1
    assert (table[["max_abs", "mean_abs", "relative_l2", "changed"]] == 0).all(axis=None)


def test_leaves_of_one_alone_and_of_another_shape_are_listed():
    first = {"a": {"kernel": np.array([1.0, 0.0])}, "b": {"kernel": np.ones((2, 2))}, "c": {"kernel": np.ones(3)}}
    second = {"b": {"kernel": np.ones((2, 1))}, "c": {"kernel": np.ones(3)}, "d": {"kernel": np.zeros(5)}}
    table = inspection.difference(first, second)
    assert table["shape"].tolist() == ["2", "2×2", "3", "", ""]
    assert table["other_shape"].tolist() == ["", "2×1", "3", "5", ""]
    assert table["changed"].isna().tolist() == [True, True, False, True, False]
    assert table["zeros"].tolist() == [1, 0, 0, 0, 1]
    assert table["other_zeros"].tolist() == [0, 0, 0, 5, 5]


def test_the_removed_network():
    masks = pruning.filter_masks(ARCHITECTURE, VARIABLES["params"], 0.4)
    architecture, smaller = pruning.remove_filters(ARCHITECTURE, VARIABLES, masks)
    table = inspection.difference(VARIABLES, smaller)
    for conv in architecture.convolutions:
        assert table.loc[f"{conv.name}/kernel", "other_shape"] == "×".join(map(str, conv.kernel_shape))
    same = table["shape"] == table["other_shape"]
    assert 0 < same.sum() < len(table)
    assert table["changed"].notna().equals(same)


def test_the_pruned_network_differs_where_the_masks_drop():
    params = VARIABLES["params"]
    masks = pruning.weight_masks(ARCHITECTURE, params, 0.5)
    table = inspection.difference(params, pruning.apply_masks(params, masks))
    for path, mask in inspection.leaves(masks).items():
        assert table.loc[path, "other_zeros"] == np.sum(~mask)
        assert table.loc[path, "changed"] == np.mean(~mask)
    values = np.concatenate([leaf.ravel() for leaf in inspection.leaves(params).values()]).astype(float)
    gone = np.concatenate([~mask.ravel() for mask in inspection.leaves(masks).values()])
    np.testing.assert_allclose(
        table.loc["total", "relative_l2"], np.linalg.norm(values[gone]) / np.linalg.norm(values), rtol=1e-12
    )
    assert table.loc["total", "max_abs"] == np.abs(values[gone]).max()


def test_nothing_to_compare():
    table = inspection.difference({"a": np.ones(2)}, {"b": np.ones(2)})
    assert math.isnan(table.loc["total", "changed"])


def test_what_is_not_a_number_shows():
    leaf = {"a": np.array([1.0, np.nan])}
    table = inspection.difference({"a": np.ones(2), "b": np.ones(1)}, {**leaf, "b": np.ones(1)})
    assert math.isnan(table.loc["a", "max_abs"])
    assert math.isnan(table.loc["total", "max_abs"])
    assert table.loc["a", "changed"] == 0.5
