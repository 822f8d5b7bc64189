"""Training from a network of other classes, and backbones cut from whole files."""

import numpy as np
import pytest

from tests import helpers
from yolojax import darknet, export, network, runs
from yolojax.runs import transfer

KEPT = ["conv_00", "conv_02", "conv_04", "conv_06", "conv_08", "conv_11"]


@pytest.fixture
def start(tmp_path):
    """The path of a network of four classes, with their names beside it."""
    helpers.save_network(tmp_path, helpers.small_architecture(), seen=9)
    (tmp_path / "m.names").write_text("cat\ndog\nowl\ncow\n")
    return str(tmp_path / "m.weights")


def test_other_classes_get_a_new_head(recipe, start, tmp_path, caplog):
    caplog.set_level("INFO", "absl")
    changes = {"steps": 1, "learning_rate": 0.0, "momentum": 0.0, "decay": 0.0}
    result = runs.run_training(recipe.replace(model={"start": start}, train=changes), tmp_path / "run")
    assert list(result.ap_area) == ["blue", "red"]
    (told,) = [text for text in caplog.messages if "which is new" in text]
    assert told.startswith(f"{start} detects cat, dog, owl, cow, the data have blue, red: all layers are kept but the")
    assert told.endswith("but the head, conv_12, which is new")
    before, after = export.open_model(start), export.open_model(str(tmp_path / "run" / "model.weights"))
    assert after.names == ("blue", "red")
    assert after.architecture.region.classes == 2
    assert after.architecture.region.anchors != before.architecture.region.anchors  # k-means, as the recipe says
    assert after.seen == 4
    for name in KEPT:
        np.testing.assert_array_equal(after.params[name]["kernel"], before.params[name]["kernel"])
    assert after.params["conv_12"]["kernel"].shape == (1, 1, 16, 2 * (5 + 2))


def test_the_strict_check(recipe, start, tmp_path):
    strict = recipe.replace(model={"start": start, "transfer": False})
    with pytest.raises(ValueError, match="no class in common: expected cat, dog, owl, cow; the data have blue, red"):
        runs.run_training(strict, tmp_path / "run")
    with pytest.raises(ValueError, match="no class in common: expected cat, dog, owl, cow; the data have blue, red"):
        runs.run_pruning(recipe.replace(model={"start": start}), tmp_path / "pruned")  # which measures the old head


@pytest.mark.parametrize(
    ("names", "other"),
    [
        ("red\nblue\ncat\ndog\n", ()),  # it detects them, and more
        ("red\ncat\ndog\nowl\n", ("blue", "red")),
        ("", ("blue", "red")),  # four classes of unknown names
    ],
)
def test_what_counts_as_other_classes(recipe, start, names, other):
    path = start.replace("weights", "names")
    with open(path, "w") as file:
        file.write(names or "a\nb\nc\nd\n")
    settings = recipe.replace(model={"start": start})
    model = transfer.open_start(settings)
    if not names:
        model = network.Model(model.architecture, model.variables)
    assert transfer.other_classes(settings, model) == other


def test_a_names_file_is_of_the_data_where_the_network_has_another_number(recipe, start, tmp_path):
    (tmp_path / "data.names").write_text("red\nblue\n")
    settings = recipe.replace(model={"start": start}, data={"names": str(tmp_path / "data.names")}, train={"steps": 1})
    result = runs.run_training(settings, tmp_path / "run")
    assert list(result.ap_area) == ["red", "blue"]
    (tmp_path / "data.names").write_text("red\nblue\ncat\ndog\n")
    assert transfer.open_start(settings).names == ("red", "blue", "cat", "dog")
    (tmp_path / "data.names").write_text("red\nblue\n")
    with pytest.raises(ValueError, match="2 class names for a network of 4 classes"):
        transfer.open_start(settings.replace(model={"transfer": False}))


def test_a_backbone_is_cut_from_any_file(start, tmp_path, caplog):
    caplog.set_level("INFO", "absl")
    other = network.for_classes(darknet.read_cfg(tmp_path / "m.cfg"), 9)
    darknet.write_cfg(other, tmp_path / "other.cfg")
    runs.convert(start, "darknet", str(tmp_path / "a.conv.7"), cutoff=7)
    runs.convert(start, "darknet", str(tmp_path / "b.conv.7"), cfg=str(tmp_path / "other.cfg"), cutoff=7)
    assert (tmp_path / "a.conv.7").read_bytes() == (tmp_path / "b.conv.7").read_bytes()
    expected = darknet.read_weights(other, tmp_path / "a.conv.7", cutoff=7)
    size = len((tmp_path / "m.weights").read_bytes())
    left = size - len((tmp_path / "a.conv.7").read_bytes())
    assert caplog.messages == [f"{start}: read up to conv_06; {left} of its {size} bytes are left"] * 2
    whole = darknet.read_weights(other, start, cutoff=7)
    np.testing.assert_array_equal(whole["params"]["conv_06"]["kernel"], expected["params"]["conv_06"]["kernel"])
    runs.convert(start, "orbax", str(tmp_path / "c"), cfg=str(tmp_path / "other.cfg"), cutoff=7)
    found = export.load_model(tmp_path / "c").params
    np.testing.assert_array_equal(found["conv_06"]["kernel"], expected["params"]["conv_06"]["kernel"])
    with pytest.raises(darknet.WeightsError, match="it ends in conv_08"):
        darknet.read_weights(other, tmp_path / "a.conv.7", cutoff=9)
