"""Pruning runs that learn from the unpruned network."""

import dataclasses

import numpy as np
import pytest

from yolojax import network, runs, training
from yolojax.export import open_model
from yolojax.runs import setup

TERMS = {"distill_coord", "distill_object", "distill_class"}
REGION = {"coord", "prior", "object", "noobject", "class"}


@pytest.fixture(scope="module")
def pruning(recipe, trained):
    return recipe.replace(
        model={"start": str(trained / "model.weights")},
        train={
            "steps": 6,
            "sizes": (32,),
            "log_every": 1,
            "labels": "teacher",
            "distill_features": 5.0,
            "distill_layers": ("conv_06", "conv_11"),
        },
    )


@pytest.fixture(scope="module")
def taught(pruning, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("taught")
    runs.run_pruning(pruning, workdir)
    return workdir


def logged(workdir):
    about = {"step", "loss", "learning_rate", "images_per_second", "data_wait_share"}
    return set(training.read_metrics(workdir / "metrics.jsonl")[-1]) - about


class WithoutLabels:
    """Records of which every object lies elsewhere, and is of the first class."""

    def __init__(self, source):
        self._source = source

    def __len__(self):
        return len(self._source)

    def __getitem__(self, index):
        record = self._source[index]
        objects = dict(record["objects"])
        objects["label"] = np.zeros_like(objects["label"])
        objects["bbox"] = np.tile(np.array([0.1, 0.1, 0.9, 0.9], np.float32), (len(objects["label"]), 1))
        return {**record, "objects": objects}


def test_with_the_teacher_alone_no_label_is_read(pruning, taught, tmp_path, monkeypatch):
    open_split = setup.open_split

    def opened(settings, split, names):
        dataset = open_split(settings, split, names)
        if split == settings.train_split:
            dataset = dataclasses.replace(dataset, source=WithoutLabels(dataset.source))
        return dataset

    monkeypatch.setattr(setup, "open_split", opened)
    runs.run_pruning(pruning, tmp_path)
    assert logged(tmp_path) == TERMS | {"distill_conv_06", "distill_conv_11"}
    assert (tmp_path / "model.weights").read_bytes() == (taught / "model.weights").read_bytes()
    # With labels too, the wrong ones show.
    for name, folder in (("wrong", tmp_path / "wrong"), ("right", tmp_path / "right")):
        monkeypatch.setattr(setup, "open_split", opened if name == "wrong" else open_split)
        runs.run_pruning(pruning.replace(train={"labels": "data", "steps": 1}), folder)
    wrong, right = ((tmp_path / name / "model.weights").read_bytes() for name in ("wrong", "right"))
    assert wrong != right


def test_a_taught_run_that_was_stopped_ends_the_same(pruning, taught, tmp_path):
    runs.run_pruning(pruning.replace(train={"steps": 3}), tmp_path)
    runs.run_pruning(pruning, tmp_path)
    assert (tmp_path / "model.weights").read_bytes() == (taught / "model.weights").read_bytes()


def test_labels_and_teacher_together_under_weight_masks(pruning, tmp_path):
    both = pruning.replace(
        prune={"method": "weight", "amount": 0.5},
        train={"labels": "data", "distill": 0.5, "distill_features": 0.0, "distill_layers": (), "steps": 2},
    )
    report = runs.run_pruning(both, tmp_path)
    _, pruned, retrained = report.stages
    assert retrained.nonzero == pruned.nonzero
    assert logged(tmp_path) == TERMS | REGION


def test_training_alone_has_no_teacher(pruning, tmp_path):
    for fields in ({"labels": "teacher"}, {"labels": "data", "distill": 1.0}):
        with pytest.raises(ValueError, match="learn from the unpruned network, which only a pruning run has"):
            runs.run_training(pruning.replace(train=fields), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_teacher_is_the_network_as_it_came(pruning, trained, tmp_path, monkeypatch):
    given = []
    make = training.make_teacher
    monkeypatch.setattr(training, "make_teacher", lambda *args: given.append(args) or make(*args))
    runs.run_pruning(pruning.replace(train={"steps": 1}), tmp_path)
    ((model, layers, removed),) = given
    expected = open_model(str(trained / "model.weights"))
    for path, leaf in network.leaf_paths(expected.variables).items():
        np.testing.assert_array_equal(network.leaf_paths(model.variables)[path], leaf, err_msg=path)
    left = open_model(str(tmp_path / "model.weights")).architecture
    counts = {conv.name: conv.layer.filters for conv in left.convolutions}
    assert {name: int(removed[name]["bias"].sum()) for name in layers} == {name: counts[name] for name in layers}
