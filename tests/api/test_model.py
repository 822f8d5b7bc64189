"""The object gives what the functions below it give."""

import dataclasses

import cv2
import jax
import numpy as np
import pytest

import yolojax
from tests import helpers
from yolojax import darknet, data, detection, export, network, pruning, runs, runtimes, training

# optax's Adam and cosine promote types, which the tests forbid.
STRICT = {"batch_size": 4, "optimizer": "sgd", "schedule": "constant"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("api")
    helpers.save_network(folder, helpers.small_architecture(classes=2))
    (folder / "m.names").write_text("blue\nred\n")
    helpers.make_devkit(folder / "squares")
    return folder


@pytest.fixture(scope="module")
def model(folder):
    return yolojax.open(folder / "m.weights")


def equal(first, second):
    return jax.tree.all(jax.tree.map(np.array_equal, first, second))


def head_of(model, images):
    images = network.to_input(model.architecture, images)
    return np.asarray(network.apply(model.architecture, model.variables, images))


def test_it_opens_what_export_opens(folder, model):
    plain = export.open_model(folder / "m.weights")
    assert model.architecture == plain.architecture
    assert equal(model.variables, plain.variables)
    assert model.names == ("blue", "red")
    assert isinstance(model, network.Model)
    assert model.size == 32


def test_a_new_one_is_for_the_classes_and_shapes_of_its_data(folder):
    source = f"devkit:{folder / 'squares'}"
    fresh = yolojax.new(folder / "m.cfg", source, size=64, seed=3)
    train_set = data.open_dataset(source, "trainval")
    sides = data.box_sizes(train_set) * 8  # cells of the head
    expected = detection.kmeans_anchors(sides, 2, seed=3).round(4)
    assert fresh.names == train_set.names
    assert fresh.size == 64
    np.testing.assert_array_equal(fresh.architecture.region.anchors, expected)
    assert equal(fresh.params, network.init(fresh.architecture, jax.random.key(3))["params"])
    assert not equal(fresh.train(source, steps=1, **STRICT).params, fresh.params)


def test_a_new_one_has_the_size_of_its_cfg(folder):
    assert yolojax.new(folder / "m.cfg", f"devkit:{folder / 'squares'}").size == 32


def test_it_shows_as_a_table_of_its_convolutions(model):
    table = model.layers
    assert list(table.index) == [conv.name for conv in model.architecture.convolutions]
    assert table["parameters"].sum() == pruning.count_parameters(model.params)
    assert table["MACs"].sum() == pruning.macs(model.architecture)
    assert repr(model).startswith("32x32 pixels, 2 classes: 5,262 parameters, 0.4 M MACs, 0.02 MB")
    assert "<th>conv_00</th>" in model._repr_html_()


def test_without_images_it_prunes_as_the_functions_do(model):
    architecture, params = model.architecture, model.params
    scores = pruning.scores("lamp", architecture, params, kind="filter")
    budget = pruning.parse_budget("macs=50%")
    masks = pruning.budget_masks(
        architecture, params, scores, cost=budget.cost(32), target=budget.target(architecture, 32)
    )
    expected = pruning.remove_filters(architecture, model.variables, masks)
    smaller = model.prune("macs=50%")
    assert smaller.architecture == expected[0]
    assert equal(smaller.variables, expected[1])
    assert smaller.names == model.names


def test_images_repair_it(folder, model):
    images = np.stack([cv2.resize(data.read_image(p), (32, 32)) for p in pictures(folder)])
    plain, repaired = model.prune("macs=60%"), model.prune("macs=60%", images=str(folder / "squares" / "JPEGImages"))
    assert repaired.architecture == plain.architecture
    wanted = head_of(model, images)
    errors = [np.mean(np.square(head_of(each, images) - wanted)) for each in (plain, repaired)]
    assert errors[1] < 0.5 * errors[0]


def pictures(folder):
    return sorted((folder / "squares" / "JPEGImages").glob("*.jpg"))


def test_weights_become_zero_and_stay_so_in_training(folder, model, tmp_path):
    sparse = model.prune("weights=40%", method="weight")
    kernels = [layer["kernel"] for layer in sparse.params.values()]
    assert sum(map(np.count_nonzero, kernels)) <= 0.4 * sum(kernel.size for kernel in kernels)
    assert sparse.architecture == model.architecture
    trained = sparse.train(f"devkit:{folder / 'squares'}", steps=2, **STRICT, workdir=tmp_path / "run")
    assert not equal(trained.params, sparse.params)
    for name, layer in sparse.params.items():
        assert not np.any(trained.params[name]["kernel"][np.asarray(layer["kernel"]) == 0]), name
    assert (tmp_path / "run" / "metrics.jsonl").exists()


def test_a_workdir_goes_on_with_the_same_training_and_refuses_another(folder, model, tmp_path):
    source, recipe = f"devkit:{folder / 'squares'}", {**STRICT, "workdir": tmp_path / "run"}
    first = model.train(source, steps=2, **recipe)
    assert equal(model.train(source, steps=2, **recipe).variables, first.variables)
    other = model.with_params(jax.tree.map(lambda leaf: leaf * np.float32(0.5), model.params))
    for again, changes, message in (
        (other, {}, "SHA-256 of the networks in memory .* is now"),
        (model, {"learning_rate": 0.5}, r"train\.learning_rate"),
        (model, {"teacher": other, "distill": 1.0}, "SHA-256 of the networks in memory .* is now"),
    ):
        with pytest.raises(ValueError, match=f"holds a run with other settings: .*{message}"):
            again.train(source, steps=2, **recipe, **changes)


def test_it_learns_from_a_teacher_on_pictures_alone(folder, model):
    smaller = model.prune("macs=60%")
    source = str(folder / "squares" / "JPEGImages")
    trained = smaller.train(source, steps=2, **STRICT, teacher=model, labels="teacher")
    assert trained.architecture == smaller.architecture
    assert not equal(trained.params, smaller.params)


def test_it_is_evaluated_as_by_the_command(folder, model):
    source = f"devkit:{folder / 'squares'}"
    expected = runs.evaluate_program(runtimes.make_program(model), source, "test", training.Protocol(32))
    found = model.evaluate(source)
    assert (found.map_11point, found.ap_area) == (expected.map_11point, expected.ap_area)
    assert str(found).splitlines()[-2].startswith("mean ")


def test_it_finds_what_a_detector_finds(folder, model, tmp_path):
    path = pictures(folder)[1]
    protocol = training.Protocol(32, score_threshold=0.02)
    expected = training.Detector(model, protocol)(data.read_image(path))
    found = model.detect(path, score=0.02)
    assert len(found) == len(expected.scores) > 0
    np.testing.assert_allclose(found.found.boxes, expected.boxes, atol=1e-3)
    np.testing.assert_array_equal(found.found.labels, expected.labels)
    name, score, box = next(iter(found))
    assert (name, score) == (model.names[expected.labels[0]], pytest.approx(expected.scores[0], abs=1e-5))
    assert box == pytest.approx(expected.boxes[0], abs=1e-3)
    assert repr(found).startswith(f"{len(found)} objects in ")
    found.save(tmp_path / "found.png")
    np.testing.assert_array_equal(data.read_image(tmp_path / "found.png"), found.draw())
    assert repr(model.detect(found.image, score=1.0)) == "0 objects in 72x64 pixels"
    best = detection.Detections(*(leaf[:1] for leaf in found.found))
    assert repr(dataclasses.replace(found, found=best)).startswith("1 object in 72x64 pixels\n")


def test_the_suffix_settles_the_format(model, tmp_path):
    for name in ("a.weights", "a.safetensors", "a.yolojax", "checkpoint"):
        path = model.save(tmp_path / name)
        assert equal(yolojax.open(path).params, model.params)
    assert runtimes.open_program(model.save(tmp_path / "a.onnx")).architecture == model.architecture
    assert darknet.read_cfg(tmp_path / "a.cfg") == model.architecture
    with pytest.raises(ValueError, match=r"a\.tflite: no format has the suffix \.tflite, expected \.weights, "):
        model.save(tmp_path / "a.tflite")


def test_milliseconds_are_of_this_machine(model):
    assert 0 < model.milliseconds("opencv") < 1e4


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda model: model.prune("macs=0.1%"), "cannot be met, expected at least"),
        (lambda model: model.prune("macs"), "budget 'macs', expected"),
        (lambda model: model.prune(flor=0.2), "flor"),
        (lambda model: model.prune(amount=0.2), "budget='macs=50%' and amount=0.2, expected one"),
        (lambda model: model.train("shapes", steps=1, epochs=2), "steps=1 and epochs=2, expected steps alone"),
        (
            lambda model: model.train("shapes", steps=1, stretch=4.0),
            "stretch=4.0: a network does not know how large it was",
        ),
        (lambda model: model.prune(repair=True), "needs images, and no data are given"),
        (lambda model: model.prune(images="missing"), "missing"),
        (
            lambda model: model.prune(images="images:.", criterion="fisher"),
            "'fisher' needs labels, and images:. has none",
        ),
        (lambda model: model.prune(then_weights=0.8), r"prune\.then_weights is for what comes after the pruning"),
        (lambda model: model.prune("weights=9%", method="weight", rounds=5), r"prune\.rounds is for what comes after"),
        (lambda model: model.prune(cluster_bits=4), r"prune\.cluster_bits is for what comes after the pruning"),
        (lambda _: yolojax.new("configs/shapes.cfg", "images:."), "has no labels, which a new network needs"),
        (lambda _: yolojax.new("configs/shapes.cfg", "shapes", size=50), "50"),
        (lambda model: model.train("images:.", steps=1), "has no labels, which training needs"),
        (lambda model: model.train("images:.", steps=1, labels="teacher"), "give it as teacher"),
        (lambda model: model.train("shapes", steps=1, teacher=model), "a teacher needs distill=1"),
        (lambda model: model.detect(np.zeros((4, 4))), r"image is float64 of \(4, 4\), expected uint8"),
        (lambda model: model.save("a", to="tflite"), "--to 'tflite', expected one of darknet, orbax"),
        (lambda model: model.save("a", cutoff=3), "cutoff, seed: .* a checkpoint has the whole network"),
        (lambda model: model.milliseconds("tensorrt"), "runtime 'tensorrt', expected one of openvino"),
    ],
)
def test_a_mistake_says_what_was_expected(model, call, message):
    with pytest.raises(ValueError, match=message):
        call(model)
