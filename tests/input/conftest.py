"""One whole file of each kind, and a copy of them for each test."""

import json
import pathlib
import shutil

import pytest

from tests import helpers
from tests.input.cases import NAMES, Good
from yolojax import darknet, export, network


@pytest.fixture(scope="session")
def whole(tmp_path_factory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("whole")
    architecture = helpers.small_architecture(classes=2)
    variables = helpers.random_variables(architecture)
    darknet.save(architecture, variables, folder / "m.cfg", folder / "m.weights", seen=3)
    (folder / "m.names").write_text("\n".join(NAMES))
    export.save_model(folder / "checkpoint", network.Model(architecture, variables, NAMES))
    helpers.make_devkit(folder / "devkit", count=3)
    (folder / "found").mkdir()
    for name in NAMES:
        (folder / "found" / f"comp4_det_test_{name}.txt").write_text("000001 0.5 3 4 20 30\n")
    conv = {"size": 8, "map_11point": [0.4, 0.1]}
    analysis = {"method": "filter", "amounts": [0.2, 0.5], "original": 0.5, "total": 60, "layers": {"conv_00": conv}}
    (folder / "sensitivity.json").write_text(json.dumps(analysis))
    return folder


@pytest.fixture
def good(whole, tmp_path) -> Good:
    return Good(shutil.copytree(whole, tmp_path / "w"))
