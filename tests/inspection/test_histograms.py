import io

import numpy as np
import pytest

from tests import helpers
from yolojax import inspection, pruning

ARCHITECTURE = helpers.small_architecture()
VARIABLES = helpers.random_variables(ARCHITECTURE)
PARAMS = VARIABLES["params"]


def test_counts_leave_the_zeros_out():
    before = {"conv_00": {"kernel": np.array([-2.0, -0.5, 0.0, 0.5, 2.0])}}
    after = {"conv_00": {"kernel": np.array([-2.0, 0.0, 0.0, 0.0, 1.9])}}
    histogram = inspection.histograms(before, after, bins=4).layers["conv_00"]
    np.testing.assert_array_equal(histogram.edges, [-2, -1, 0, 1, 2])
    np.testing.assert_array_equal(histogram.before, [1, 1, 1, 1])
    np.testing.assert_array_equal(histogram.after, [1, 0, 0, 1])
    assert histogram.zeros == (1, 3)
    assert histogram.sizes == (5, 5)


def test_every_layer_is_there_and_what_is_pruned_is_the_middle():
    pruned = pruning.apply_masks(PARAMS, pruning.weight_masks(ARCHITECTURE, PARAMS, 0.8))
    found = inspection.histograms(PARAMS, pruned)
    assert list(found.layers) == list(PARAMS)
    for name, histogram in found.layers.items():
        kernel = np.asarray(pruned[name]["kernel"])
        assert histogram.before.sum() == PARAMS[name]["kernel"].size
        assert histogram.after.sum() == np.count_nonzero(kernel) == histogram.sizes[1] - histogram.zeros[1]
        assert (histogram.after <= histogram.before).all()
        threshold = np.abs(kernel[kernel != 0]).min()
        middle = (histogram.edges[1:] < threshold) & (histogram.edges[:-1] > -threshold)
        assert not histogram.after[middle].any()
    titles = [axes.get_title() for axes in found.figure.axes]
    assert len(titles) == len(PARAMS)
    assert all(title.startswith(f"{name}: 0% → ") for title, name in zip(titles, PARAMS, strict=True))


def test_the_figure_draws():
    found = inspection.histograms(PARAMS, PARAMS, layers=["conv_02", "conv_12"], leaf="bias")
    assert list(found.layers) == ["conv_02", "conv_12"]
    picture = io.BytesIO()
    found.figure.savefig(picture, format="png")
    assert picture.getvalue().startswith(b"\x89PNG")


def test_shapes_may_differ_and_all_may_be_zero():
    masks = pruning.filter_masks(ARCHITECTURE, PARAMS, 0.4)
    _, smaller = pruning.remove_filters(ARCHITECTURE, VARIABLES, masks)
    histogram = inspection.histograms(PARAMS, smaller).layers["conv_02"]
    assert histogram.sizes == (PARAMS["conv_02"]["kernel"].size, smaller["params"]["conv_02"]["kernel"].size)
    nothing = {"conv_00": {"kernel": np.zeros(4)}}
    histogram = inspection.histograms(nothing, nothing).layers["conv_00"]
    assert histogram.zeros == (4, 4)
    assert histogram.before.sum() == 0


def test_what_cannot_be_shown():
    with pytest.raises(ValueError, match="conv_02/kernel is only in before"):
        inspection.histograms(PARAMS, {"conv_00": PARAMS["conv_00"]})
    with pytest.raises(ValueError, match="conv_99/kernel is in neither"):
        inspection.histograms(PARAMS, PARAMS, layers=["conv_99"])
    with pytest.raises(ValueError, match="no layer has a 'kernels', expected kernel, scale or bias"):
        inspection.histograms(PARAMS, PARAMS, leaf="kernels")
    with pytest.raises(ValueError, match="conv_00/kernel has values that are not finite"):
        inspection.histograms({"conv_00": {"kernel": np.array([np.nan])}}, {"conv_00": {"kernel": np.ones(1)}})
    with pytest.raises(ValueError, match="bins is 0"):
        inspection.histograms(PARAMS, PARAMS, bins=0)
