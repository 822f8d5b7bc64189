"""The commands as a user runs them. `cli.Command.run` is called in this process where that does, for speed."""

import json
import pathlib
import subprocess
import sys

import cv2
import numpy as np
import pytest

from tests import helpers
from yolojax import darknet, detection, export, runs, runtimes, training

ROOT = pathlib.Path(__file__).parents[2]


def run(module, *arguments):
    return subprocess.run(
        [sys.executable, "-m", f"yolojax.{module}", *map(str, arguments)], cwd=ROOT, capture_output=True, text=True
    )


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    helpers.save_network(folder, helpers.small_architecture(classes=2), seen=3)
    (folder / "m.names").write_text("blue\nred\n")
    helpers.make_devkit(folder / "squares")
    return folder


def test_convert_there_and_back_is_byte_identical(files, tmp_path):
    runs.convert(str(files / "m.weights"), "orbax", str(tmp_path / "checkpoint"))
    runs.convert(str(tmp_path / "checkpoint"), "darknet", str(tmp_path / "again.weights"))
    assert (tmp_path / "again.weights").read_bytes() == (files / "m.weights").read_bytes()
    assert darknet.read_cfg(tmp_path / "again.cfg") == darknet.read_cfg(files / "m.cfg")
    assert (tmp_path / "again.names").read_text() == "blue\nred\n"


def test_convert_a_backbone(files, tmp_path):
    backbone = tmp_path / "m.conv.7"
    runs.convert(str(files / "m.weights"), "darknet", str(backbone), cutoff=7)
    runs.convert(str(backbone), "orbax", str(tmp_path / "c"), cfg=str(files / "m.cfg"), cutoff=7, seed=5)
    _, expected = darknet.load(files / "m.cfg", files / "m.weights")
    found = export.load_model(tmp_path / "c").variables
    np.testing.assert_array_equal(found["params"]["conv_06"]["kernel"], expected["params"]["conv_06"]["kernel"])
    assert not np.array_equal(found["params"]["conv_08"]["kernel"], expected["params"]["conv_08"]["kernel"])
    with pytest.raises(ValueError, match="--cutoff needs --cfg"):
        runs.convert(str(backbone), "orbax", str(tmp_path / "d"), cutoff=7)


def test_detect_writes_pictures_and_json(files, tmp_path):
    program = runtimes.open_program(files / "m.weights", size=32)
    images = [str(files / "squares" / "JPEGImages" / f"00000{i}.jpg") for i in (1, 2)]
    protocol = training.Protocol(size=32, score_threshold=0.02)
    runs.detect_files(program, images, tmp_path, protocol)
    result = json.loads((tmp_path / "detections.json").read_text())
    assert [entry["image"] for entry in result["images"]] == images
    first = result["images"][0]
    assert first["objects"]
    assert {o["class"] for o in first["objects"]} <= {"blue", "red"}
    assert all(1 <= o["box"][0] <= first["width"] for o in first["objects"])
    picture, source = cv2.imread(str(tmp_path / "000001.png")), cv2.imread(images[0])
    assert picture.shape == source.shape
    assert not np.array_equal(picture, source)


def test_the_networks_own_size_is_the_default(files, tmp_path, caplog):
    caplog.set_level("INFO", "absl")
    program = runtimes.open_program(files / "m.weights")
    image = str(files / "squares" / "JPEGImages" / "000001.jpg")
    runs.detect_files(program, [image], tmp_path, training.Protocol(size=0))
    assert json.loads((tmp_path / "detections.json").read_text())["protocol"].startswith("32x32 (stretched)")
    data = f"devkit:{files / 'squares'}"
    result = runs.evaluate_program(program, data, "val", training.Protocol(size=0), data_dir=str(tmp_path / "tfds"))
    assert result.protocol.size == 32
    said = "the network runs at 64x64 pixels, not at its own 32x32, as asked for"
    assert said not in caplog.messages
    program = runtimes.open_program(files / "m.weights", size=64)
    runs.evaluate_program(program, data, "val", training.Protocol(size=64), data_dir=str(tmp_path / "tfds"))
    assert caplog.messages.count(said) == 1


def test_a_network_of_other_classes_is_not_evaluated(files, tmp_path):
    (tmp_path / "m.names").write_text("cat\ndog\n")
    program = runtimes.open_program(files / "m.weights", names=tmp_path / "m.names")
    with pytest.raises(ValueError, match="test: no class in common: expected cat, dog; the data have blue, red"):
        runs.evaluate_program(
            program, f"devkit:{files / 'squares'}", "test", training.Protocol(size=0), data_dir=str(tmp_path)
        )


def test_detect_takes_a_folder_and_skips_what_is_no_picture_in_it(files, tmp_path, caplog):
    source = files / "squares" / "JPEGImages"
    for folder in ("a", "a/b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.jpg").write_bytes((source / "000001.jpg").read_bytes())
    (tmp_path / "a" / "broken.JPG").write_text("no picture")
    (tmp_path / "a" / "notes.txt").write_text("no picture either")
    program = runtimes.open_program(files / "m.weights")
    with caplog.at_level("INFO", logger="absl"):
        runs.detect_files(program, [str(tmp_path / "a")], tmp_path / "out", training.Protocol(size=32))
    found = json.loads((tmp_path / "out" / "detections.json").read_text())["images"]
    assert [entry["image"] for entry in found] == [str(tmp_path / "a/b/x.jpg"), str(tmp_path / "a/x.jpg")]
    assert len(list((tmp_path / "out").glob("*.png"))) == 2
    assert "broken.JPG: cannot be decoded" in caplog.text
    assert "numbers stand for them" not in caplog.text


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ([], "no images given; name files or folders"),
        (["missing.jpg"], "missing.jpg: no such image file"),
        (["./missing.jpg"], "missing.jpg: no such image file"),
        (["a/x.jpg", "a/x.png"], "a/x.jpg and a/x.png are both image a__x; rename one"),
    ],
)
def test_detect_mistakes(files, tmp_path, images, message):
    program = runtimes.open_program(files / "m.weights", size=32)
    with pytest.raises(ValueError, match=message):
        runs.detect_files(program, images, tmp_path, training.Protocol(size=32))


def test_evaluating_saved_detections_gives_the_models_own_map(files, tmp_path):
    program = runtimes.open_program(files / "m.weights", size=32)
    data, protocol = f"devkit:{files / 'squares'}", training.Protocol(size=32)
    result = runs.evaluate_program(
        program, data, "test", protocol, data_dir=str(tmp_path / "tfds"), save_detections=str(tmp_path / "found")
    )
    again = runs.evaluate_detections(str(tmp_path / "found"), str(files / "squares"), "test", ())
    assert str(again.protocol).startswith("detections as given, devkit matching at IoU > 0.5")
    assert again.to_json()["protocol"] == {"match_iou": 0.5}
    assert again.detections == result.detections > 0
    assert again.ap_area == pytest.approx(result.ap_area, abs=1e-6)
    assert detection.classes_with_files(tmp_path / "found") == ("blue", "red")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("prune", "--config", "configs/filter40.py"), "yolov2-voc.weights: no such file or folder"),
        (("prune", "--config", "configs/filter40.py", "--config.prune.amout=0.2"), "amout"),
        (
            ("prune", "--config", "configs/filter40.py", "--config.train.decay=-1"),
            "train.decay -1.0, expected at",
        ),
        (("train", "--config", "nowhere.py"), "nowhere.py"),
        (("evaluate", "--data", "shapes"), "--model is missing"),
        (("evaluate", "--detections", "x"), "--devkit is missing"),
        (("evaluate", "--detections", "x", "--devkit", "y", "--size", "32"), "--size goes with --model"),
        (("evaluate", "--model", "x", "--json", "nowhere/x.json"), "nowhere/x.json: no such folder"),
        (("evaluate", "--model", "x.weights", "stray"), "unexpected argument 'stray'"),
        (("convert", "--model", "x.weights"), "out"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(arguments, message):
    result = run(*arguments)
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("error: ")
    assert message in last


@pytest.mark.slow
def test_evaluate_as_a_command(files, tmp_path):
    result = run(
        "evaluate", "--model", files / "m.weights", "--data", f"devkit:{files / 'squares'}", "--size", 32,
        "--data_dir", tmp_path, "--json", tmp_path / "result.json",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "blue" in result.stdout
    assert "10 images" in result.stdout
    assert json.loads((tmp_path / "result.json").read_text())["images"] == 10
