import numpy as np
import pytest

from yolojax.pruning.batches import sum_over_batches


def test_scores_are_summed_and_batches_counted():
    batches = [{"image": np.full(2, value), "truth": np.ones(2)} for value in (1.0, 2.0, 4.0)]
    total, count = sum_over_batches(lambda image, truth: {"conv_00": image + truth}, batches)
    np.testing.assert_array_equal(total["conv_00"], [10.0, 10.0])
    assert count == 3


def test_no_batch_is_refused():
    with pytest.raises(ValueError, match="batches hold no batch, expected at least one"):
        sum_over_batches(lambda image, truth: {}, [])
