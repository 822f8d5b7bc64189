import subprocess
import sys

import numpy as np
import pytest

from tests.export import networks
from yolojax import export

BEFORE = "import sys\nsys.modules['yolojax'] = None  # any import of it fails\n"
AFTER = "np.savez('out.npz', *[np.asarray(network.call(np.load(f'images{n}.npy'))) for n in (1, 3)])\n"


def test_the_file_runs_without_yolojax_at_any_batch_size(tmp_path):
    """The example in the card, in a process of its own."""
    architecture = networks.random_architecture(2)
    variables = networks.random_variables(architecture, 2)
    masked, (smaller, small_variables) = networks.removed(architecture, variables)
    export.write_stablehlo(smaller, small_variables, tmp_path / "m.stablehlo", platforms=("cpu",))
    for batch in (1, 3):
        np.save(tmp_path / f"images{batch}.npy", networks.random_images(architecture, batch))
    code = BEFORE + networks.example(tmp_path / "m.stablehlo") + AFTER
    result = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    with np.load(tmp_path / "out.npz") as found:
        for batch, key in ((1, "arr_0"), (3, "arr_1")):
            expected = np.asarray(networks.apply(architecture, masked, networks.random_images(architecture, batch)))
            np.testing.assert_allclose(found[key], expected, rtol=0, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("softmax", [True, False])
def test_the_detections_are_the_same(softmax):
    architecture = networks.with_region(networks.random_architecture(0).resized(48, 72), softmax=softmax)
    variables = networks.random_variables(architecture)
    suppression = export.Suppression(0.1, 0.08)
    exported = export.stablehlo_export(architecture, variables, suppression=suppression)
    assert exported.platforms == ("cpu", "cuda", "tpu")
    images = networks.random_images(architecture, 10)  # more than `nms` takes at once
    boxes, scores = exported.call(images)
    expected, before, after = map(np.asarray, networks.detect(architecture, variables, images, suppression))
    assert 0 < np.count_nonzero(after) < np.count_nonzero(before >= 0.08)
    np.testing.assert_allclose(boxes, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(scores, after, atol=1e-5)


def test_mistakes():
    architecture, variables = networks.even_network()
    with pytest.raises(ValueError, match="platforms gpu, expected some of cpu, cuda, rocm, tpu"):
        export.stablehlo_export(architecture, variables, platforms=("cpu", "gpu"))
    with pytest.raises(ValueError, match="platforms none"):
        export.stablehlo_export(architecture, variables, platforms=())
    backbone = type(architecture)(architecture.net, architecture.layers[:-1])
    with pytest.raises(ValueError, match=r"no \[region\] layer"):
        export.stablehlo_export(backbone, variables, suppression=export.Suppression())


def test_flatbuffers_is_asked_for(tmp_path, monkeypatch):
    architecture, variables = networks.even_network()
    monkeypatch.setitem(sys.modules, "flatbuffers", None)
    with pytest.raises(ValueError, match="flatbuffers is not installed"):
        export.write_stablehlo(architecture, variables, tmp_path / "m.stablehlo")
    assert list(tmp_path.iterdir()) == []
