"""Conversion to every format from what runs leave; the formats themselves are tested in tests/export."""

import json
import pathlib
import shutil
import subprocess
import sys

import cv2
import jax
import numpy as np
import onnxruntime
import pytest

from tests import helpers
from yolojax import darknet, export, network, runs, runtimes, training

ROOT = pathlib.Path(__file__).parents[2]


def heads(model, size):
    """Random images, and their head."""
    images = np.random.default_rng(0).random((2, size, size, 3), np.float32)
    return images, np.asarray(jax.jit(network.apply, static_argnums=0)(model.architecture, model.variables, images))


def test_onnx_at_another_size(trained, tmp_path):
    out = tmp_path / "m.onnx"
    runs.convert(str(trained), "onnx", str(out), size=64)
    images, expected = heads(export.load_model(trained), 64)
    session = onnxruntime.InferenceSession(out, providers=["CPUExecutionProvider"])
    (head,) = session.run(None, {"images": images.transpose(0, 3, 1, 2)})
    np.testing.assert_allclose(head.transpose(0, 2, 3, 1), expected, atol=1e-4)
    text = export.card_path(out).read_text()
    assert "mAP: not known." in text  # it was measured at 32
    assert "0 blue, 1 red" in text


def test_the_card_has_the_maps_of_the_run(trained, tmp_path):
    runs.convert(str(trained), "onnx", str(tmp_path / "m.onnx"))
    evaluation = json.loads((trained / "evaluation.json").read_text())
    source = json.loads((trained / "config.json").read_text())["data"]["source"]
    text = export.card_path(tmp_path / "m.onnx").read_text()
    assert f"{evaluation['map_11point']:.4f} (11-point), {evaluation['map_area']:.4f} (area)" in text
    assert f"on {source} test (10 images), measured by yolojax: {evaluation['protocol_text']}." in text
    assert f"from `{trained}`" in text


def test_int8_is_calibrated_where_one_list_has_all_training_images(trained, tmp_path):
    folder = helpers.make_devkit(tmp_path / "squares")
    for split in ("train", "val"):
        (folder / "ImageSets" / "Main" / f"{split}.txt").unlink()
    source, out = f"devkit:{folder}", tmp_path / "m.onnx"
    runs.convert(str(trained), "onnx", str(out), int8=True, calibrate=source, calibrate_images=2)
    assert f"calibrated on 2 images of {source} trainval" in export.card_path(out).read_text()


@pytest.mark.parametrize("nms", [False, True])
def test_int8_is_calibrated_and_measured(trained, tmp_path, nms):
    out = tmp_path / "m.onnx"
    source = json.loads((trained / "config.json").read_text())["data"]["source"]
    runs.convert(str(trained), "onnx", str(out), int8=True, calibrate=source, calibrate_images=3, nms=nms)
    text = export.card_path(out).read_text()
    assert f"calibrated on 3 images of {source} train" in text
    assert "(seed 0), 99.999% of an activation's values in its range." in text
    assert "- mAP before, in float32: " in text
    assert f"(area) on {source} test (10 images), measured by yolojax: " in text
    session = onnxruntime.InferenceSession(out, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    assert names == (["boxes", "scores", "labels", "image"] if nms else ["head"])
    if not nms:
        program = runtimes.open_program(out)
        found = runs.evaluate_program(program, source, "test", training.Protocol(program.size), runtime="onnxruntime")
        assert f"mAP: {found.map_11point:.4f} (11-point), {found.map_area:.4f} (area)" in text


def test_int8_by_pictures_without_labels(trained, tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8))
    runs.convert(str(trained), "onnx", str(tmp_path / "m.onnx"), int8=True, calibrate=f"images:{tmp_path}")
    text = export.card_path(tmp_path / "m.onnx").read_text()
    assert f"calibrated on 1 images of images:{tmp_path} train" in text
    assert "- mAP: not known." in text


def test_stablehlo_with_nms_for_the_platforms_asked_for(trained, tmp_path):
    out = tmp_path / "m.stablehlo"
    options = {"nms": True, "nms_iou": 0.45, "score_threshold": 0.01, "platforms": ["cpu", "tpu"]}
    runs.convert(str(trained), "stablehlo", str(out), **options)
    exported = jax.export.deserialize(bytearray(out.read_bytes()))
    assert exported.platforms == ("cpu", "tpu")
    boxes, scores = exported.call(np.zeros((1, 32, 32, 3), np.float32))
    assert boxes.shape == (1, 32, 4)
    assert scores.shape == (1, 32, 2)
    text = export.card_path(out).read_text()
    assert "for cpu, tpu" in text
    assert "confidence >= 0.01, per-class NMS at IoU 0.45" in text


def test_safetensors_and_darknet_hold_the_same(trained, tmp_path):
    runs.convert(str(trained), "safetensors", str(tmp_path / "m.safetensors"))
    runs.convert(str(trained), "darknet", str(tmp_path / "m.weights"))
    model, other = (export.open_model(tmp_path / name) for name in ("m.safetensors", "m.weights"))
    assert (model.architecture, model.names, model.seen) == (other.architecture, other.names, other.seen)
    jax.tree.map(np.testing.assert_array_equal, model.variables, other.variables)
    assert "(11-point)" in export.card_path(tmp_path / "m.weights").read_text()


@pytest.mark.slow
def test_the_card_of_a_pruned_network_has_the_map_after_retraining(recipe, trained, tmp_path):
    recipe = recipe.replace(model={"start": str(trained / "model.weights")}, train={"steps": 3}, eval={"pictures": 1})
    result = runs.run_pruning(recipe, tmp_path / "run")
    runs.convert(str(tmp_path / "run" / "model.weights"), "safetensors", str(tmp_path / "m.safetensors"))
    evaluation = result.stages[-1].evaluation
    text = export.card_path(tmp_path / "m.safetensors").read_text()
    expected = f"{evaluation.map_11point:.4f} (11-point), {evaluation.map_area:.4f} (area) on {result.eval_set}"
    assert f"{expected}, measured by yolojax: {evaluation.protocol}." in text


def test_no_map_is_told_of_a_network_that_went_on_after_it(trained, tmp_path):
    workdir = tmp_path / "run"
    shutil.copytree(trained, workdir)
    model = export.open_model(str(workdir))
    darknet.write_weights(model.architecture, model.variables, workdir / "model.weights", seen=model.seen - 4)
    runs.convert(str(workdir), "safetensors", str(tmp_path / "m.safetensors"))
    assert "mAP: not known." in export.card_path(tmp_path / "m.safetensors").read_text()


@pytest.mark.parametrize(
    ("to", "options", "message"),
    [
        ("tflite", {}, "--to 'tflite', expected one of darknet, orbax, onnx, openvino, stablehlo, web, safetensors, "),
        ("darknet", {"nms": True}, "--nms goes with --to onnx or openvino or stablehlo, not with darknet"),
        ("safetensors", {"values": "float16"}, "--values goes with --to compressed, not with safetensors"),
        ("darknet", {"cutoff": 3, "seed": 1}, "--seed goes with --to orbax, not with darknet"),
        ("onnx", {"opset": 9}, "opset=9: no option of a format, expected one of cutoff, seed, int8, .*, bits"),
        ("onnx", {"nms": True, "nms_iou": 1.5}, "iou_threshold 1.5, expected a number in 0..1"),
        ("onnx", {"platforms": ["cpu"]}, "--platforms goes with --to stablehlo, not with onnx"),
        ("onnx", {"int8": True}, "--int8 and --calibrate DATA go together"),
        ("onnx", {"calibrate": "shapes"}, "--int8 and --calibrate DATA go together"),
        ("onnx", {"int8": True, "calibrate": "images:gone"}, "gone: no such folder"),
        (
            "onnx",
            {"int8": True, "calibrate": "shapes", "calibrate_images": 0},
            "calibrate_images 0, expected at least 1",
        ),
        ("darknet", {"int8": True}, "--int8 goes with --to onnx or web, not with darknet"),
        ("onnx", {"cutoff": 3}, "--cutoff goes with --to darknet or orbax, not with onnx"),
        ("orbax", {"cutoff": 3, "size": 64}, "--size does not go with --cutoff"),
        ("onnx", {"size": 60}, "size 60 does not fit in reorg_09: a 15x15 map does not divide by stride 2"),
    ],
)
def test_mistakes(trained, tmp_path, to, options, message):
    with pytest.raises(ValueError, match=message):
        runs.convert(str(trained), to, str(tmp_path / "out"), **options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("values", "tolerance"), [("float32", 0), ("float16", 1e-3), ("clustered", 0.3)])
def test_a_compressed_file_is_a_model(trained, tmp_path, values, tolerance):
    runs.convert(str(trained), "compressed", str(tmp_path / "m.yolojax"), values=values)
    model, expected = export.open_model(str(tmp_path / "m.yolojax")), export.open_model(str(trained))
    assert (model.architecture, model.names, model.seen) == (expected.architecture, expected.names, expected.seen)
    for a, b in zip(jax.tree.leaves(model.variables), jax.tree.leaves(expected.variables), strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * np.abs(b).max())
    card = (tmp_path / "m.yolojax.md").read_text()
    assert ("11-point" in card) == (values == "float32")


@pytest.mark.slow
def test_the_options_of_formats_are_flags(trained, tmp_path):
    command = [sys.executable, "-m", "yolojax.convert", "--model", str(trained), "--to", "stablehlo"]
    flags = ["--nms", "--nms_iou", "0.5", "--score_threshold", "0.1", "--platforms", "cpu,tpu"]
    out = tmp_path / "m.stablehlo"
    result = subprocess.run([*command, *flags, "--out", str(out)], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout == f"wrote {out}\n"
    text = export.card_path(out).read_text()
    assert "for cpu, tpu" in text
    assert "confidence >= 0.1, per-class NMS at IoU 0.5" in text
