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
    export.write_safetensors(*pair, tmp_path / "m.safetensors")
    found, arrays = export.read_safetensors(tmp_path / "m.safetensors")
    assert found == architecture
    jax.tree.map(np.testing.assert_array_equal, arrays, variables)


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
    architecture, _ = pair
    path = tmp_path / "m.safetensors"
    export.write_safetensors(*pair, path)
    whole = path.read_bytes()
    for damaged in (b"", whole[:-1], whole[:100], b"\xff" * 64):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"m\.safetensors: .*expected a safetensors file"):
            export.read_safetensors(path)
    array = {"params/conv_00/kernel": np.zeros(3, np.float32)}
    safetensors.numpy.save_file(array, path)
    with pytest.raises(ValueError, match="no cfg in its metadata"):
        export.read_safetensors(path)
    safetensors.numpy.save_file(array, path, {"cfg": darknet.format_cfg(architecture)})
    with pytest.raises(ValueError, match=r"missing or too many are .*params/conv_00/bias"):
        export.read_safetensors(path)
