import jax
import numpy as np
import pandas as pd
import pytest

from tests import helpers
from yolojax import darknet, export, inspection, network, pruning

ARCHITECTURE = helpers.small_architecture()
VARIABLES = helpers.random_variables(ARCHITECTURE)
PARAMS = VARIABLES["params"]
TREE = {
    "conv_00": {"kernel": np.array([[[[0.0, 2.0], [0.0, 0.0]]]]), "bias": np.array([0.0, 1.0])},
    "conv_02": {"kernel": np.array([[[[3.0], [4.0]]]]), "bias": np.array([0.0])},
}


def test_by_leaf_in_the_order_of_the_paths():
    expected = pd.DataFrame(
        {
            "shape": ["2", "1×1×2×2", "1", "1×1×2×1", ""],
            "size": [2, 4, 1, 2, 9],
            "nonzero": [1, 1, 0, 2, 4],
            "sparsity": [0.5, 0.75, 1.0, 0.0, 5 / 9],
        },
        index=pd.Index(["conv_00/bias", "conv_00/kernel", "conv_02/bias", "conv_02/kernel", "total"], name="leaf"),
    )
    pd.testing.assert_frame_equal(inspection.sparsity(TREE, "leaf"), expected)


def test_by_layer_a_filter_is_dead_when_all_of_it_is_zero():
    expected = pd.DataFrame(
        {
            "filters": [2, 1, 3],
            "dead": [1, 0, 1],
            "size": [6, 3, 9],
            "nonzero": [2, 2, 4],
            "sparsity": [2 / 3, 1 / 3, 5 / 9],
        },
        index=pd.Index(["conv_00", "conv_02", "total"], name="layer"),
    )
    pd.testing.assert_frame_equal(inspection.sparsity(TREE), expected)


def test_by_kind_the_kernels_have_the_amount_that_was_asked_for():
    pruned = pruning.apply_masks(PARAMS, pruning.weight_masks(ARCHITECTURE, PARAMS, 0.75))
    table = inspection.sparsity(pruned, "kind")
    assert table.loc["kernel", "sparsity"] == 0.75
    assert table.loc[["bias", "scale"], "sparsity"].eq(0).all()
    total = inspection.sparsity(pruned, "total")
    assert total.index.tolist() == ["total"]
    assert total.loc["total", "size"] == pruning.count_parameters(PARAMS)
    assert total.loc["total", "nonzero"] == pruning.count_nonzeros(pruned)


@pytest.mark.parametrize("by", ["leaf", "layer", "kind", "total"])
def test_masks_tell_what_the_masked_network_will(by):
    masks = pruning.filter_masks(ARCHITECTURE, PARAMS, 0.4)
    pruned = pruning.apply_masks(PARAMS, masks)
    pd.testing.assert_frame_equal(inspection.sparsity(masks, by), inspection.sparsity(pruned, by))


def test_dead_filters_are_those_that_the_accounting_drops():
    masks = pruning.filter_masks(ARCHITECTURE, PARAMS, 0.4)
    rows = pruning.layer_table(ARCHITECTURE, VARIABLES, masks)
    table = inspection.sparsity(masks)
    assert table["dead"].tolist()[:-1] == [row.filters_dropped for row in rows]
    assert table.loc["total", "dead"] == sum(row.filters_dropped for row in rows) > 0


def test_every_source_gives_the_same_table(tmp_path):
    model = network.Model(ARCHITECTURE, VARIABLES, ("a", "b", "c", "d"))
    export.save_model(tmp_path / "checkpoint", model)
    darknet.save(ARCHITECTURE, VARIABLES, tmp_path / "net.cfg", tmp_path / "net.weights")
    expected = inspection.sparsity(PARAMS, "leaf")
    for source in (VARIABLES, model, tmp_path / "checkpoint", str(tmp_path / "net.weights")):
        pd.testing.assert_frame_equal(inspection.sparsity(source, "leaf"), expected)


def test_it_renders_in_a_notebook_and_in_a_terminal():
    table = inspection.sparsity(TREE)
    assert "conv_00" in str(table)
    assert "<td>0.666667</td>" in table._repr_html_()


@pytest.mark.usefixtures("unchecked_types")
def test_what_is_no_source():
    with pytest.raises(ValueError, match="by 'filter', expected one of leaf, layer, kind, total"):
        inspection.sparsity(TREE, "filter")
    with pytest.raises(ValueError, match="source is a ndarray, expected params, masks"):
        inspection.sparsity(np.zeros(3))
    with pytest.raises(ValueError, match="source holds no values"):
        inspection.sparsity({})
    with pytest.raises(ValueError, match="no such file or folder"):
        inspection.sparsity("nowhere")


def test_leaves_have_the_batch_norms_statistics_when_asked():
    assert inspection.leaves(VARIABLES).keys() == inspection.leaves(PARAMS).keys()
    extra = inspection.leaves(VARIABLES, statistics=True).keys() - inspection.leaves(PARAMS).keys()
    assert extra == {f"{name}/{leaf}" for name in VARIABLES["batch_stats"] for leaf in ("mean", "var")}
    assert len(inspection.leaves(PARAMS)) == len(jax.tree.leaves(PARAMS))
