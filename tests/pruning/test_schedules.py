import numpy as np
import pytest

from tests import helpers
from yolojax import pruning


def test_polynomial_is_zhu_and_guptas_cubic():
    amounts = [
        pruning.polynomial(step, amount=0.8, begin=10, end=14, initial=0.1) for step in (9, 10, 11, 12, 13, 14, 99)
    ]
    # s_f + (s_i - s_f) (1 - t / 4)³
    cubic = [0.8 - 0.7 * left for left in (1, 27 / 64, 8 / 64, 1 / 64, 0)]
    np.testing.assert_allclose(amounts, [0, *cubic, 0.8], rtol=1e-12)
    assert amounts[-1] == 0.8


def test_an_empty_ramp_is_refused():
    with pytest.raises(ValueError, match="begin 5, end 5: expected begin below end"):
        pruning.polynomial(5, amount=0.8, begin=5, end=5)


@pytest.mark.parametrize("make", [pruning.weight_masks, pruning.filter_masks])
def test_rounds_only_ever_drop_more(make):
    architecture = helpers.small_architecture()
    params = helpers.random_variables(architecture)["params"]
    gone = np.zeros(sum(leaf.size for layer in params.values() for leaf in layer.values()), bool)
    for step in (1, 2, 4):
        masks = make(architecture, params, pruning.polynomial(step, amount=0.6, begin=0, end=4))
        params = pruning.apply_masks(params, masks)
        now = ~np.concatenate([np.asarray(leaf).ravel() for layer in masks.values() for leaf in layer.values()])
        assert np.all(now[gone])
        assert now.sum() > gone.sum()
        gone = now
