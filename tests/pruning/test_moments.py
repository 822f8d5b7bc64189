import numpy as np
import pytest

from tests import helpers
from yolojax import network, pruning

ARCHITECTURE = helpers.small_architecture()
IMAGES = np.random.default_rng(1).integers(0, 256, (6, 32, 32, 3), dtype=np.uint8)


def test_moments_by_plain_loops():
    variables = helpers.random_variables(ARCHITECTURE)
    moments = pruning.input_moments(ARCHITECTURE, variables, [IMAGES[:4], IMAGES[4:]])
    inputs = network.convolution_inputs(ARCHITECTURE, variables, IMAGES.astype(np.float32) / 255)
    assert moments.keys() == {conv.name for conv in ARCHITECTURE.convolutions}
    for name in ("conv_00", "conv_11"):
        cells = np.asarray(inputs[name], np.float64).reshape(-1, inputs[name].shape[-1])
        expected = np.zeros((cells.shape[1] + 1,) * 2)
        for cell in cells:
            one = np.append(cell, 1.0)
            expected += np.outer(one, one)
        np.testing.assert_allclose(moments[name], expected / len(cells), rtol=1e-4, atol=1e-6)


def test_mistakes():
    with pytest.raises(ValueError, match="images hold no batch, expected at least one"):
        pruning.input_moments(ARCHITECTURE, helpers.random_variables(ARCHITECTURE), [])
