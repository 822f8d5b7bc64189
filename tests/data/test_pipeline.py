"""Batches: content, order, sharding, sizes, and going on after a stop."""

import collections
import dataclasses
import itertools

import cv2
import numpy as np
import pytest

from yolojax.data import AugmentConfig, eval_batches, train_batches
from yolojax.data.pipeline import relative_truth


def take(batches, count):
    return list(itertools.islice(batches, count))


def assert_same(ours, theirs):
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        assert a.keys() == b.keys()
        for name in a:
            np.testing.assert_array_equal(a[name], b[name], strict=True)


def train(dataset, **changes):
    options = {"batch_size": 4, "sizes": (32,), "seed": 7, "max_boxes": 5, "augment": AugmentConfig(), "threads": 1}
    return train_batches(dataset, **(options | changes))


def test_a_batch(six):
    batch = next(train(six, augment=None))
    assert {name: (leaf.shape, leaf.dtype) for name, leaf in batch.items()} == {
        "image": ((4, 32, 32, 3), np.uint8),
        "truth": ((4, 5, 5), np.float32),
        "index": ((4,), np.int64),
    }
    for image, truth, index in zip(batch["image"], batch["truth"], batch["index"], strict=True):
        assert image.tolist() == cv2.resize(six.image(int(index)), (32, 32)).tolist()
        expected = relative_truth(six.truth()[index])
        np.testing.assert_array_equal(truth[: len(expected)], expected)
        assert not truth[len(expected) :].any()


def test_truth_is_relative_as_voc_label_py_has_it(six):
    """x = (xmin + xmax) / 2 - 1, w = xmax - xmin, both over the width."""
    truth = relative_truth(six.truth()[2])
    np.testing.assert_allclose(
        truth, [[10 / 42, 6 / 30, 20 / 42, 10 / 30, 0], [11 / 42, 6 / 30, 20 / 42, 10 / 30, 1]], rtol=1e-6
    )
    assert truth.dtype == np.float32


def test_every_epoch_has_every_image_once_in_a_new_order(six):
    order = np.concatenate([batch["index"] for batch in take(train(six, batch_size=2), 6)])
    assert sorted(order[:6]) == sorted(order[6:]) == list(range(6))
    assert list(order[:6]) != list(order[6:])


def test_a_batch_may_be_larger_than_the_data_set(six):
    batch = next(train(six, batch_size=13))
    assert batch["image"].shape == (13, 32, 32, 3)
    assert sorted(collections.Counter(batch["index"].tolist()).values()) == [2, 2, 2, 2, 2, 3]


def test_the_same_image_is_augmented_differently_each_time(six):
    one = dataclasses.replace(six, source=six.source[5:])
    batch = next(train(one))
    assert len({image.tobytes() for image in batch["image"]}) == 4


def test_the_seed_decides(six):
    assert_same(take(train(six), 3), take(train(six), 3))
    assert take(train(six, seed=8), 1)[0]["image"].tobytes() != take(train(six), 1)[0]["image"].tobytes()


@pytest.mark.parametrize("threads", [0, 2, 4])
def test_threads_change_nothing(six, threads):
    assert_same(take(train(six, threads=threads), 3), take(train(six), 3))


@pytest.mark.parametrize("processes", [2, 4])
def test_processes_share_the_same_global_batches(six, processes):
    whole = take(train(six, sizes=(32, 64)), 25)
    shares = [take(train(six, sizes=(32, 64), process_index=i, process_count=processes), 25) for i in range(processes)]
    for batch, *parts in zip(whole, *shares, strict=True):
        assert all(part["index"].shape == (4 // processes,) for part in parts)
        for name, leaf in batch.items():
            together = np.stack([part[name] for part in parts], axis=1).reshape(leaf.shape)
            np.testing.assert_array_equal(together, leaf)


def test_sizes_change_every_ten_batches(six):
    sizes = [batch["image"].shape[1] for batch in take(train(six, sizes=(32, 64, 96), batch_size=2), 60)]
    blocks = [set(sizes[i : i + 10]) for i in range(0, 60, 10)]
    assert all(len(block) == 1 for block in blocks)
    assert set.union(*blocks) == {32, 64, 96}
    assert len({tuple(block) for block in itertools.pairwise(next(iter(b)) for b in blocks)}) > 2


@pytest.mark.parametrize("threads", [1, 2])
def test_going_on_after_a_stop(six, threads):
    batches = train(six, sizes=(32, 64), threads=threads)
    take(batches, 8)
    state = batches.get_state()
    expected = take(batches, 6)
    again = train(six, sizes=(32, 64), threads=threads)
    again.set_state(state)
    assert_same(take(again, 6), expected)


def test_crowded_images_are_counted(six, warned):
    batch = next(train(six, max_boxes=3, batch_size=6))
    assert batch["truth"].shape == (6, 3, 5)
    assert warned() == ["six images: 2 images have more than 3 objects; 3 are dropped each time"]
    next(train(six, max_boxes=5))
    assert len(warned()) == 1


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"batch_size": 6, "process_count": 4}, r"batch_size 6, expected a multiple of the 4 process\(es\)"),
        ({"batch_size": 0}, "batch_size 0, expected"),
        ({"sizes": ()}, "sizes is empty"),
    ],
)
def test_what_cannot_be(six, changes, says):
    with pytest.raises(ValueError, match=says):
        train(six, **changes)


@pytest.mark.parametrize("processes", [1, 2, 4])
@pytest.mark.parametrize("count", [1, 4, 6])
def test_evaluation_sees_every_image_once(six, processes, count):
    dataset = dataclasses.replace(six, source=six.source[:count])
    shares = [
        list(eval_batches(dataset, batch_size=4, size=32, process_index=i, process_count=processes))
        for i in range(processes)
    ]
    assert {len(share) for share in shares} == {-(-count // 4)}
    seen = {}
    for batch in itertools.chain(*shares):
        assert {name: (leaf.shape, leaf.dtype) for name, leaf in batch.items()} == {
            "image": ((4 // processes, 32, 32, 3), np.uint8),
            "index": ((4 // processes,), np.int32),
            "valid": ((4 // processes,), bool),
        }
        for row in np.flatnonzero(batch["valid"]):
            assert batch["index"][row] not in seen
            seen[batch["index"][row]] = batch["image"][row]
    assert sorted(seen) == list(range(count))
    for index, image in seen.items():
        assert image.tolist() == cv2.resize(dataset.image(int(index)), (32, 32)).tolist()


def test_evaluation_shares_must_be_even(six):
    with pytest.raises(ValueError, match="batch_size 3, expected a multiple of the 2"):
        eval_batches(six, batch_size=3, size=32, process_count=2)
