import json

import jax
import numpy as np
import pytest
import safetensors.numpy

from tests.export import networks
from yolojax import darknet, export


@pytest.fixture
def pair():
    architecture = networks.random_architecture(0)
    return architecture, networks.random_variables(architecture)


def test_there_and_back(pair, tmp_path):
    architecture, variables = pair
    export.write_safetensors(*pair, tmp_path / "m.safetensors", export.Facts(names=("a", "b", "c")), seen=7)
    model = export.read_safetensors(tmp_path / "m.safetensors")
    assert (model.architecture, model.names, model.seen) == (architecture, ("a", "b", "c"), 7)
    jax.tree.map(np.testing.assert_array_equal, model.variables, variables)


def test_the_file_has_the_mode_of_any_other(pair, tmp_path):
    export.write_safetensors(*pair, tmp_path / "m.safetensors")
    (tmp_path / "plain").touch()
    assert (tmp_path / "m.safetensors").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_missing_folder_is_one_error_and_leaves_nothing(pair, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"^gone/m\.safetensors: no folder gone to write it in$"):
        export.write_safetensors(*pair, "gone/m.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_the_file_holds_the_arrays_by_path_and_the_cfg(pair, tmp_path):
    architecture, variables = pair
    variables["params"]["conv_00"]["kernel"] = np.asfortranarray(variables["params"]["conv_00"]["kernel"])
    facts = export.Facts(names=("a", "b", "c"))
    export.write_safetensors(*pair, tmp_path / "m.safetensors", facts, seen=7)
    arrays = safetensors.numpy.load_file(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(arrays["params/conv_00/kernel"], variables["params"]["conv_00"]["kernel"])
    assert len(arrays) == len(jax.tree.leaves(variables))
    assert all(array.dtype == np.float32 for array in arrays.values())
    with safetensors.safe_open(tmp_path / "m.safetensors", "numpy") as file:
        metadata = file.metadata()
    assert darknet.parse_cfg(metadata["cfg"]) == architecture
    assert json.loads(metadata["names"]) == ["a", "b", "c"]
    assert metadata["seen"] == "7"


def test_the_cards_example_runs(pair, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    export.write_safetensors(*pair, "m.safetensors")
    values = {}
    exec(networks.example("m.safetensors"), values)
    np.testing.assert_array_equal(values["kernel"], pair[1]["params"]["conv_00"]["kernel"])


def test_other_files_are_refused(pair, tmp_path):
    path = tmp_path / "m.safetensors"
    export.write_safetensors(*pair, path)
    whole = path.read_bytes()
    for damaged in (b"", whole[:-1], whole[:100], b"\xff" * 64, (1 << 40).to_bytes(8, "little") + whole[8:]):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"m\.safetensors: .*expected a safetensors file"):
            export.read_safetensors(path)


@pytest.mark.parametrize(
    ("arrays", "metadata", "message"),
    [
        ({}, {"cfg": None}, "no cfg in its metadata; expected a safetensors file that yolojax wrote"),
        ({}, {"cfg": "[net]\nwidth=8\n"}, r"m\.safetensors:1: \[net\] has no height"),
        (
            {"params/conv_00/kernel": None, "x\ny": np.zeros(1, np.float32)},
            {},
            r"missing or too many are params/conv_00/kernel, 'x\\ny'$",
        ),
        (
            {"params/conv_00/bias": np.zeros(1000, np.float32)},
            {},
            r"params/conv_00/bias is F32 of \(1000,\), expected F32 of \(\d,\)",
        ),
        (
            {"params/conv_00/bias": np.zeros(4, np.float16)},
            {},
            r"params/conv_00/bias is F16 of \(4,\), expected F32 of \(4,\)",
        ),
        ({}, {"names": "[1]"}, "names in its metadata are not a JSON list of texts"),
        ({}, {"names": "[" * 100_000}, "names in its metadata are not a JSON list of texts"),
        ({}, {"names": '["a\\nb", "c", "d"]'}, r"'a\\nb', expected a class name of at most 100 printable characters"),
        ({}, {"seen": "-5"}, "'-5' images seen in its metadata, expected an integer from 0"),
        ({}, {"seen": "9" * 19}, "9999999999999999999 images seen, expected 0..9223372036854775807"),
    ],
)
def test_what_no_network_has_is_refused(pair, tmp_path, arrays, metadata, message):
    path = tmp_path / "m.safetensors"
    export.write_safetensors(*pair, path)
    with safetensors.safe_open(path, "numpy") as file:
        metadata = file.metadata() | metadata
    arrays = safetensors.numpy.load_file(path) | arrays
    safetensors.numpy.save_file(_without_none(arrays), path, _without_none(metadata))
    with pytest.raises(ValueError, match=message) as caught:
        export.read_safetensors(path)
    assert len(str(caught.value)) < 400


def test_a_value_that_is_not_finite_is_refused(pair, tmp_path):
    architecture, variables = pair
    variables["params"]["conv_00"]["bias"][1] = np.inf
    export.write_safetensors(architecture, variables, tmp_path / "m.safetensors")
    with pytest.raises(ValueError, match=r"m\.safetensors: 1 of \d values are not finite in conv_00 \(bias\)"):
        export.read_safetensors(tmp_path / "m.safetensors")


def _without_none(entries):
    return {key: value for key, value in entries.items() if value is not None}
