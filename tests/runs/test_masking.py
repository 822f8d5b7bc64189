"""Masks from settings: what a budget and a sensitivity analysis give together."""

import json

import numpy as np
import pytest

from tests import helpers
from yolojax import pruning
from yolojax.network import Architecture, Convolutional, Model, Net
from yolojax.runs import masking
from yolojax.settings import PruneSettings

ARCHITECTURE = helpers.small_architecture()
MODEL = Model(ARCHITECTURE, helpers.random_variables(ARCHITECTURE), ("a", "b", "c", "d"), 0)


def write_analysis(folder, fragile):
    """Every layer bears the same, but `fragile` nothing at all."""
    layers = {
        name: {"size": size, "map_11point": [0.0, 0.0] if name == fragile else [0.49, 0.4]}
        for name, size in pruning.prunable(ARCHITECTURE, "filter").items()
    }
    found = {"method": "filter", "amounts": [0.1, 0.9], "original": 0.5, "total": 52, "layers": layers}
    path = folder / f"{fragile}.json"
    path.write_text(json.dumps(found))
    return str(path)


def kept(settings):
    scores = masking.make_scores(settings, MODEL)
    masks = masking.make_masks(settings, MODEL, scores, size=32)
    return {name: int(np.sum(layer["bias"])) for name, layer in masks.items()}


def test_what_stays_is_said_in_one_line(caplog):
    conv = Convolutional(4)
    architecture = Architecture(Net(8, 8), (conv, conv, Convolutional(4, groups=2), conv, conv))
    with caplog.at_level("INFO", logger="absl"):
        masking.log_what_stays(ARCHITECTURE)
        masking.log_what_stays(architecture)
    assert [record.getMessage() for record in caplog.records] == [
        "filters that all stay: conv_01 (conv_02 reads them in groups), conv_02 (they belong to groups of equal size)"
    ]


@pytest.mark.parametrize(("budget", "met"), [("params=1M", True), ("params=100%", True), ("macs=60%", False)])
def test_a_budget_that_the_network_meets_is_said(budget, met, caplog):
    masking.check(PruneSettings(budget=budget), MODEL, 32)
    assert [f"{budget}: the network has " in message for message in caplog.messages] == [True] * met


@pytest.mark.parametrize("fragile", ["conv_02", "conv_11"])
def test_a_budget_by_sensitivity_spares_the_layer_that_bears_nothing(tmp_path, fragile):
    analysis = write_analysis(tmp_path, fragile)
    counts = kept(PruneSettings(budget="macs=60%", amounts=analysis, allocation="global"))
    widths = {"conv_02": 8, "conv_11": 16}
    assert [name for name, width in widths.items() if counts[name] == width] == [fragile]


def test_an_analysis_of_a_network_of_other_widths(tmp_path):
    path = write_analysis(tmp_path, "conv_11")
    found = json.loads((tmp_path / "conv_11.json").read_text())
    found["layers"]["conv_02"]["size"] = 5
    (tmp_path / "conv_11.json").write_text(json.dumps(found))
    message = r"conv_11\.json was measured with 5 filters in conv_02, this network has 8; measure this network's sensit"
    with pytest.raises(ValueError, match=message):
        masking.check(PruneSettings(amount=0.3, amounts=path), MODEL, 32)


def test_what_is_beyond_the_analysis_shows_in_the_check(tmp_path):
    analysis = write_analysis(tmp_path, "conv_11")
    settings = PruneSettings(budget="macs=1%", amounts=analysis, floor=0.0)
    with pytest.raises(ValueError, match="cannot be met, expected at least"):
        masking.check(settings, MODEL, 32)
    with pytest.raises(ValueError, match=r"prune\.budget with prune\.amounts is for filters; prune\.method is weight"):
        PruneSettings(method="weight", budget="weights=5%", amounts=analysis)
    with pytest.raises(
        ValueError, match=r"prune\.allocation 'uniform' takes the same share of each layer, so prune\.am"
    ):
        PruneSettings(budget="macs=50%", allocation="uniform", amounts=analysis)


def test_the_seed_chooses_random_filters():
    first, again, second = (
        masking.make_scores(PruneSettings(criterion="random", seed=seed), MODEL) for seed in (3, 3, 4)
    )
    for name, values in first.items():
        np.testing.assert_array_equal(values, again[name])
        assert np.all(np.asarray(values) != np.asarray(second[name]))
