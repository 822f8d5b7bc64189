"""The registry, and what a new format takes: the shortest real one, an `.npz` of the leaves and the .cfg text."""

import dataclasses

import jax
import numpy as np
import pytest
from flax.traverse_util import flatten_dict, unflatten_dict

from tests import helpers
from yolojax import darknet, export, network, runs
from yolojax.files import replacing


@dataclasses.dataclass(frozen=True)
class NpzOptions:
    deflate: bool = export.option(False, "a smaller file, slower to write.")


def write_npz(path, model, facts, options):
    save = np.savez_compressed if options.deflate else np.savez
    with replacing(path) as beside:
        save(beside, cfg=darknet.format_cfg(model.architecture), **flatten_dict(model.variables, sep="/"))
    return path


def read_npz(path, cfg):
    with np.load(path) as file:
        leaves = {name: file[name] for name in file.files if name != "cfg"}
        return network.Model(darknet.parse_cfg(str(file["cfg"])), unflatten_dict(leaves, sep="/"))


NPZ = export.Format("npz", "an .npz file", write_npz, export.by_suffix(".npz"), read=read_npz, options=NpzOptions)


@pytest.fixture
def weights(tmp_path):
    """A .weights file with its .cfg beside it."""
    architecture = helpers.small_architecture()
    helpers.save_network(tmp_path, architecture)
    return tmp_path / "m.weights"


def test_a_new_format_converts_and_opens_by_its_entry_alone(weights, monkeypatch):
    monkeypatch.setitem(export.FORMATS, "npz", NPZ)
    plain, deflated = weights.with_name("plain.npz"), weights.with_name("deflated.npz")
    runs.convert(str(weights), "npz", str(plain))
    runs.convert(str(weights), "npz", str(deflated), deflate=True)
    assert deflated.stat().st_size < plain.stat().st_size
    expected = export.open_model(weights)
    for path in (plain, deflated):
        model = export.open_model(path)
        assert model.architecture == expected.architecture
        jax.tree.map(np.testing.assert_array_equal, model.variables, expected.variables)


def test_a_new_format_is_part_of_every_message(weights, tmp_path, monkeypatch):
    monkeypatch.setitem(export.FORMATS, "npz", NPZ)
    with pytest.raises(ValueError, match="--deflate goes with --to npz, not with onnx"):
        runs.convert(str(weights), "onnx", str(tmp_path / "m.onnx"), deflate=True)
    with pytest.raises(ValueError, match=r"expected one of darknet, .*, compressed, npz"):
        runs.convert(str(weights), "tflite", str(tmp_path / "m.tflite"))
    with pytest.raises(ValueError, match=r"expected a \.weights file, .* a compressed file or an \.npz file"):
        export.open_model(tmp_path / "gone.npz")


def test_what_a_new_format_reads_is_checked(weights, tmp_path, monkeypatch):
    monkeypatch.setitem(export.FORMATS, "npz", NPZ)
    model = export.open_model(weights)
    params = jax.tree.map(np.array, model.params)
    params["conv_00"]["kernel"][0, 0, 0, 0] = np.nan
    write_npz(tmp_path / "nan.npz", model.with_params(params), export.Facts(), NpzOptions())
    with pytest.raises(ValueError, match=r"nan.npz: 1 of \d+ values are not finite in conv_00 \(kernel\)"):
        export.open_model(tmp_path / "nan.npz")


def test_an_option_of_several_formats_is_the_same_in_each():
    options = export.format_options()
    assert options["nms"].formats == ("onnx", "openvino", "stablehlo")
    assert options["cutoff"].formats == ("darknet", "orbax")
    for option in options.values():
        for name in option.formats:
            fields = {field.name: field for field in dataclasses.fields(export.FORMATS[name].options)}
            assert fields[option.name].default == option.default
            assert dict(fields[option.name].metadata) == {"help": option.help, "choices": option.choices}


def test_every_format_goes_by_its_own_name():
    assert all(entry.name == name for name, entry in export.FORMATS.items())
