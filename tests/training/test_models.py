import numpy as np
import pytest

from tests import helpers
from yolojax import darknet, network, training

NAMES = ("circle", "square", "star", "cross")


@pytest.fixture
def files(tmp_path):
    helpers.save_network(tmp_path, helpers.small_architecture(), seen=9)
    return tmp_path


def test_other_classes_than_the_data():
    architecture = helpers.small_architecture()
    named = network.Model(architecture, {}, NAMES)
    training.require_names(named, NAMES, "shapes")
    training.require_names(network.Model(architecture, {}), NAMES, "shapes")
    with pytest.raises(ValueError, match="the network detects circle, square, star, cross; blood has RBC, WBC"):
        training.require_names(named, ("RBC", "WBC"), "blood")
    with pytest.raises(ValueError, match="the network detects 4 classes; blood has RBC, WBC: take data of"):
        training.require_names(network.Model(architecture, {}), ("RBC", "WBC"), "blood")


def test_a_new_model_takes_the_datas_classes_anchors_and_a_backbone(files):
    source = helpers.small_architecture()
    variables = helpers.random_variables(source)
    darknet.write_weights(source, variables, files / "m.conv.7", cutoff=7)
    anchors = ((0.5, 0.5), (1.0, 1.0), (2.0, 1.0))
    model = training.new_model(
        str(files / "m.cfg"), ("a", "b"), seed=1, anchors=anchors, backbone=str(files / "m.conv.7"), cutoff=7
    )
    assert model.architecture.region.anchors == anchors
    assert model.architecture.region.classes == 2
    assert model.architecture.convolutions[-1].layer.filters == 3 * 7
    params = model.params
    for name, same in [("conv_00", True), ("conv_06", True), ("conv_08", False)]:
        assert np.array_equal(params[name]["kernel"], variables["params"][name]["kernel"]) == same, name
