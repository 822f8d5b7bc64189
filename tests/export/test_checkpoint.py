import logging

import jax
import numpy as np
import pytest

from tests import helpers
from yolojax import export, network, pruning


def test_a_pruned_network_restores_by_its_path_alone(tmp_path):
    architecture = helpers.small_architecture()
    variables = helpers.random_variables(architecture)
    masks = pruning.filter_masks(architecture, variables["params"], 0.4)
    smaller = pruning.remove_filters(architecture, variables, masks)
    export.save_model(tmp_path / "model", network.Model(*smaller, names=("a", "b", "c", "d"), seen=5))
    model = export.load_model(tmp_path / "model")
    assert model.architecture == smaller[0] != architecture
    assert (model.names, model.seen) == (("a", "b", "c", "d"), 5)
    for a, b in zip(jax.tree.leaves(model.variables), jax.tree.leaves(smaller[1]), strict=True):
        np.testing.assert_array_equal(a, b)


def test_opening_says_nothing_and_leaves_the_folder_as_it_was(tmp_path, caplog):
    model = network.Model(helpers.small_architecture(), helpers.random_variables(helpers.small_architecture()))
    for folder in (tmp_path / "alone", tmp_path / "run" / "checkpoints"):
        export.save_model(folder, model)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    with caplog.at_level(logging.WARNING):
        export.open_model(tmp_path / "alone")
        export.open_model(tmp_path / "run")  # as a run's workdir
    assert not [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_what_is_no_checkpoint(tmp_path):
    with pytest.raises(ValueError, match="no such checkpoint folder"):
        export.load_model(tmp_path / "missing")
    assert not (tmp_path / "missing").exists()
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="holds no checkpoint"):
        export.load_model(tmp_path / "empty")
    model = network.Model(helpers.small_architecture(), helpers.random_variables(helpers.small_architecture()))
    export.save_model(tmp_path / "model", model)
    with pytest.raises(ValueError, match="already holds a checkpoint"):
        export.save_model(tmp_path / "model", model)
