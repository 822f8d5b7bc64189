"""A page that detects, from what runs leave: what it compares, and what it says of each network."""

import json
import pathlib
import shutil

import pytest

from tests.export.test_web import network_on
from yolojax import export, runs


@pytest.fixture(autouse=True)
def runtime(monkeypatch):
    """Stands for ONNX Runtime Web, which comes from a registry."""
    monkeypatch.setattr(export, "read_web_runtime", lambda package: export.WebRuntime(b"script", b"binary"))


def test_one_network_with_the_map_of_its_run(trained, tmp_path, capsys):
    runs.convert(str(trained), "web", str(tmp_path / "page"))
    assert capsys.readouterr().out == f"wrote {tmp_path / 'page' / 'index.html'}\n"
    about = network_on(tmp_path / "page")
    evaluation = json.loads((trained / "evaluation.json").read_text())
    assert about["name"] == trained.name
    assert about["map"] == {"points": evaluation["map_11point"], "area": evaluation["map_area"]}
    assert evaluation["protocol_text"] in about["notes"][0]
    assert not (tmp_path / "page" / "network-2.js").exists()


def test_the_other_network_comes_first_and_has_the_same_size(trained, tmp_path):
    other = shutil.copytree(trained, tmp_path / "other")
    runs.convert(str(trained), "web", str(tmp_path / "page"), against=str(other), size=64)
    first, second = network_on(tmp_path / "page"), network_on(tmp_path / "page", 2)
    assert (first["name"], second["name"]) == ("other", trained.name)
    assert first["width"] == second["width"] == 64
    assert first["map"] is second["map"] is None  # measured at 32


def test_networks_of_one_name_are_told_apart_by_their_paths(trained, tmp_path):
    other = shutil.copytree(trained, tmp_path / "other" / trained.name)
    runs.convert(str(trained), "web", str(tmp_path / "page"), against=str(other))
    assert [network_on(tmp_path / "page", i)["name"] for i in (1, 2)] == [str(other), str(trained)]


def test_a_network_without_names_has_those_of_the_other(trained, tmp_path):
    for suffix in (".cfg", ".weights"):
        shutil.copy(trained / f"model{suffix}", tmp_path / f"nameless{suffix}")
    runs.convert(str(trained), "web", str(tmp_path / "page"), against=str(tmp_path / "nameless.weights"))
    names = [[entry["name"] for entry in network_on(tmp_path / "page", i)["classes"]] for i in (1, 2)]
    assert names[0] == names[1] == ["blue", "red"]


def test_int8_holds_for_the_network_and_not_for_the_other(trained, tmp_path):
    source = json.loads((trained / "config.json").read_text())["data"]["source"]
    images = f"images:{pathlib.Path(source.removeprefix('devkit:')) / 'JPEGImages'}"
    options = {"against": str(trained), "int8": True, "calibrate": images, "calibrate_images": 3}
    runs.convert(str(trained), "web", str(tmp_path / "page"), **options)
    first, second = network_on(tmp_path / "page"), network_on(tmp_path / "page", 2)
    assert [first["name"], second["name"]] == [trained.name, f"{trained.name} int8"]
    assert [first["numbers"], second["numbers"]] == ["float32", "int8 convolutions"]
    assert any("calibrated on 3 images of" in note for note in second["notes"])
    assert first["map"] is not None
    assert second["map"] is None


def test_options_that_a_page_does_not_have(trained, tmp_path):
    with pytest.raises(ValueError, match="--nms goes with --to onnx or openvino or stablehlo, not with web"):
        runs.convert(str(trained), "web", str(tmp_path), nms=True)
    with pytest.raises(ValueError, match="--against goes with --to web, not with onnx"):
        runs.convert(str(trained), "onnx", str(tmp_path / "m.onnx"), against=str(trained))
    with pytest.raises(ValueError, match="--int8 and --calibrate DATA go together"):
        runs.convert(str(trained), "web", str(tmp_path), int8=True)
    with pytest.raises(ValueError, match="gone: no such file or folder"):
        runs.convert(str(trained), "web", str(tmp_path), against=str(tmp_path / "gone"))


def test_a_missing_runtime_is_said_before_the_calibration(trained, tmp_path, monkeypatch):
    def missing(package):
        raise ValueError("npm is not installed")

    monkeypatch.setattr(export, "read_web_runtime", missing)
    with pytest.raises(ValueError, match="npm is not installed"):  # and not that there are no such images
        runs.convert(str(trained), "web", str(tmp_path / "page"), int8=True, calibrate="images:gone")
