"""The loss against a plain-loop version of Darknet's `forward_region_layer`; tests/training/test_steps.py has its
gradient against Darknet's own."""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import helpers
from yolojax import darknet, detection, network
from yolojax.network import module

ARCHITECTURE = helpers.small_architecture(size=32, classes=3)  # a head of 4 x 4 cells, 2 anchors
SHAPE = (2, 4, 4, 16)
terms_of = jax.jit(detection.region_loss_terms, static_argnums=0)
value_and_gradient = jax.jit(jax.value_and_grad(detection.region_loss, argnums=1), static_argnums=0)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def box_iou(a, b):
    sides = [
        min(a[k] + a[k + 2] / 2, b[k] + b[k + 2] / 2) - max(a[k] - a[k + 2] / 2, b[k] - b[k + 2] / 2) for k in (0, 1)
    ]
    both = max(sides[0], 0) * max(sides[1], 0)
    return both / (a[2] * a[3] + b[2] * b[3] - both)


def darknet_delta(region, head, truth, seen):
    """Darknet's delta for each channel (B, H, W, A, 5 + C): minus the gradient of the loss of each image's sum."""
    batch, height, width, _ = head.shape
    out = head.reshape(batch, height, width, len(region.anchors), -1).astype(np.float64)
    delta = np.zeros_like(out)
    for b in range(batch):
        truths = [t.astype(np.float64) for t in truth[b] if t.any()]

        def predicted(j, i, n, b=b):
            tx, ty, tw, th = out[b, j, i, n, :4]
            w, h = region.anchors[n]
            return [
                (i + sigmoid(tx)) / width,
                (j + sigmoid(ty)) / height,
                w * np.exp(tw) / width,
                h * np.exp(th) / height,
            ]

        def pull(j, i, n, box, scale, b=b):
            tx, ty = sigmoid(out[b, j, i, n, 0]), sigmoid(out[b, j, i, n, 1])
            w, h = region.anchors[n]
            delta[b, j, i, n, 0] = scale * (box[0] * width - i - tx) * tx * (1 - tx)
            delta[b, j, i, n, 1] = scale * (box[1] * height - j - ty) * ty * (1 - ty)
            delta[b, j, i, n, 2] = scale * (np.log(box[2] * width / w) - out[b, j, i, n, 2])
            delta[b, j, i, n, 3] = scale * (np.log(box[3] * height / h) - out[b, j, i, n, 3])

        for j in range(height):
            for i in range(width):
                for n, (w, h) in enumerate(region.anchors):
                    objectness = sigmoid(out[b, j, i, n, 4])
                    best = max((box_iou(predicted(j, i, n), t[:4]) for t in truths), default=0)
                    slope = objectness * (1 - objectness)
                    delta[b, j, i, n, 4] = 0 if best > region.thresh else -region.noobject_scale * objectness * slope
                    if seen < 12800:
                        pull(j, i, n, [(i + 0.5) / width, (j + 0.5) / height, w / width, h / height], 0.01)
        for t in truths:
            i, j = int(t[0] * width), int(t[1] * height)
            fits = [box_iou([0, 0, w / width, h / height], [0, 0, t[2], t[3]]) for w, h in region.anchors]
            n = int(np.argmax(fits))
            pull(j, i, n, t[:4], region.coord_scale * (2 - t[2] * t[3]))
            objectness = sigmoid(out[b, j, i, n, 4])
            wanted = box_iou(predicted(j, i, n), t[:4]) if region.rescore else 1
            delta[b, j, i, n, 4] = region.object_scale * (wanted - objectness) * objectness * (1 - objectness)
            logits, classes = out[b, j, i, n, 5:], delta[b, j, i, n, 5:]
            if not region.softmax and classes[0]:  # a later truth of this cell and anchor adds its class
                classes[int(t[4])] = region.class_scale * (1 - sigmoid(logits[int(t[4])]))
                continue
            probability = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
            probability = probability if region.softmax else sigmoid(logits)
            classes[:] = region.class_scale * (np.eye(region.classes)[int(t[4])] - probability)
    return delta.reshape(head.shape)


def random_case(seed):
    rng = np.random.default_rng(seed)
    truth = np.zeros((2, 6, 5), np.float32)
    for rows in truth:
        kept = rng.permutation(6)[: rng.integers(1, 6)]  # padding anywhere
        rows[kept, :2] = rng.uniform(0.02, 0.98, (len(kept), 2))
        rows[kept, 2:4] = rng.uniform(0.05, 0.6, (len(kept), 2))
        rows[kept, 4] = rng.integers(0, 3, len(kept))
    # Two truths in one cell and anchor: the later one counts.
    truth[0, 4] = [0.3, 0.3, 0.2, 0.2, 1]
    truth[0, 5] = [0.31, 0.32, 0.22, 0.2, 2]
    return rng.normal(0, 1, SHAPE).astype(np.float32), truth


def with_region(**changes):
    region = dataclasses.replace(ARCHITECTURE.region, **changes)
    return dataclasses.replace(ARCHITECTURE, layers=(*ARCHITECTURE.layers[:-1], region))


@pytest.mark.parametrize("seen", [0, 12_799, 12_800])
@pytest.mark.parametrize(("rescore", "softmax"), [(True, True), (False, True), (True, False)])
def test_the_gradient_is_minus_darknets_delta(seen, rescore, softmax):
    changes = {"rescore": rescore, "softmax": softmax, "coord_scale": 1.5, "class_scale": 0.7, "thresh": 0.3}
    architecture = with_region(**changes)
    region = architecture.region
    for seed in range(5):
        head, truth = random_case(seed)
        expected = -darknet_delta(region, head, truth, seen)
        found = np.asarray(value_and_gradient(architecture, head, truth, seen)[1]) * len(head)
        np.testing.assert_allclose(found, expected, rtol=2e-4, atol=2e-6)


def test_logistic_classes_of_two_truths_in_one_place_are_both_wanted():
    head, truth = np.zeros((1, 4, 4, 16), np.float32), np.zeros((1, 3, 5), np.float32)
    truth[0, 0], truth[0, 2] = [0.3, 0.3, 0.2, 0.2, 1], [0.31, 0.32, 0.2, 0.2, 2]
    value, gradient = value_and_gradient(with_region(softmax=False), head, truth, 20_000)
    classes = np.asarray(gradient).reshape(4, 4, 2, 8)[..., 5:]
    (place,) = np.argwhere(classes.any(axis=-1)).tolist()
    np.testing.assert_allclose(classes[tuple(place)], [0.5, -0.5, -0.5])
    assert float(terms_of(with_region(softmax=False), head, truth, 20_000)["class"]) == pytest.approx(3 * np.log(2))
    assert np.isfinite(value)


def test_the_value_of_one_perfect_and_one_wrong_prediction():
    region = ARCHITECTURE.region
    head = np.full((1, 4, 4, 16), -20, np.float32)  # no object anywhere
    head.reshape(1, 4, 4, 2, 8)[..., :4] = 0  # boxes on the anchors
    truth = np.zeros((1, 3, 5), np.float32)
    (w, h) = region.anchors[1]
    truth[0, 1] = [1.5 / 4, 2.5 / 4, w / 4, h / 4, 2]
    cell = head.reshape(1, 4, 4, 2, 8)[0, 2, 1, 1]
    cell[4], cell[5:] = 20, [-20, -20, 20]

    def terms():
        # A copy: on the CPU JAX may read the array that the test goes on to change.
        return {name: float(value) for name, value in terms_of(ARCHITECTURE, head.copy(), truth, 20_000).items()}

    assert terms() == pytest.approx(dict.fromkeys(("coord", "prior", "object", "noobject", "class"), 0), abs=1e-5)
    cell[5:] = 0  # undecided between three classes
    assert terms()["class"] == pytest.approx(region.class_scale * np.log(3), rel=1e-5)
    cell[4] = -20  # and blind
    assert terms()["object"] == pytest.approx(0.5 * region.object_scale, rel=1e-4)
    assert terms()["coord"] == terms()["prior"] == 0


def test_an_image_without_objects_and_extreme_logits_stay_finite():
    truth = np.zeros((2, 4, 5), np.float32)
    for scale, softmax in itertools.product((0, 80), (True, False)):
        head = np.random.default_rng(0).normal(0, scale, SHAPE).astype(np.float32).clip(-80, 80)
        loss, grad = value_and_gradient(with_region(softmax=softmax), head, truth, 0)
        assert np.isfinite(loss)
        assert np.isfinite(grad).all()


def half_squares(region, head, truth, seen):
    """The value of the loss whose gradient Darknet writes down, from the same rules; (B,) float64."""
    batch, height, width, _ = head.shape
    out = head.reshape(batch, height, width, len(region.anchors), -1).astype(np.float64)
    values = np.zeros(batch)
    for b in range(batch):
        truths = [t.astype(np.float64) for t in truth[b] if t.any()]
        owners = {}
        for t in truths:
            fits = [box_iou([0, 0, w / width, h / height], [0, 0, t[2], t[3]]) for w, h in region.anchors]
            owners[int(t[1] * height), int(t[0] * width), int(np.argmax(fits))] = t
        for j, i, n in np.ndindex(height, width, len(region.anchors)):
            tx, ty, tw, th, to, *logits = out[b, j, i, n]
            x, y, objectness = sigmoid(tx), sigmoid(ty), sigmoid(to)
            w, h = region.anchors[n]
            box = [(i + x) / width, (j + y) / height, w * np.exp(tw) / width, h * np.exp(th) / height]
            t = owners.get((j, i, n))
            if t is None:
                if max((box_iou(box, other[:4]) for other in truths), default=0) <= region.thresh:
                    values[b] += region.noobject_scale * objectness**2 / 2
                if seen < 12800:
                    values[b] += 0.01 * ((x - 0.5) ** 2 + (y - 0.5) ** 2 + tw**2 + th**2) / 2
                continue
            wanted = box_iou(box, t[:4]) if region.rescore else 1
            off = [t[0] * width - i - x, t[1] * height - j - y]
            off += [np.log(t[2] * width / w) - tw, np.log(t[3] * height / h) - th]
            values[b] += region.coord_scale * (2 - t[2] * t[3]) * np.sum(np.square(off)) / 2
            values[b] += region.object_scale * (wanted - objectness) ** 2 / 2
            values[b] += region.class_scale * (np.log(np.sum(np.exp(logits))) - logits[int(t[4])])
    return values


@pytest.mark.parametrize("seen", [0, 12_800])
def test_the_value_is_the_mean_over_images_of_the_plain_loops(seen):
    for seed in range(3):
        head, truth = random_case(seed)
        expected = half_squares(ARCHITECTURE.region, head, truth, seen).mean()
        value, _ = value_and_gradient(ARCHITECTURE, head, truth, seen)
        assert float(value) == pytest.approx(expected, rel=1e-5)
        assert float(sum(terms_of(ARCHITECTURE, head, truth, seen).values())) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("seen", [0, 100_000])
def test_one_step_of_darknet_moves_the_last_bias_by_our_gradient(shared_data, seen):
    folder = shared_data / "darknet-oracle"
    architecture, variables = darknet.load(folder / "mini.cfg", folder / "mini.weights")
    _, after = darknet.load(folder / "mini.cfg", folder / f"after_one_step_seen{seen}.weights")
    with np.load(folder / "forward.npz") as oracle:
        images, truth = oracle["images_nchw"].transpose(0, 2, 3, 1), oracle["truth"]
    head, _ = jax.jit(network.apply_train, static_argnums=0)(architecture, variables, images)
    _, gradient = value_and_gradient(architecture, head, truth, seen)
    before, moved = (tree["params"][architecture.head_name]["bias"] for tree in (variables, after))
    # The bias has no weight decay. Darknet's variance divides by N - 1, which moves the head a little.
    update = -0.01 * np.asarray(gradient).sum((0, 1, 2))
    assert np.linalg.norm(update - (moved - before)) < 1e-3 * np.linalg.norm(moved - before)


def test_equal_anchors_go_to_the_first():
    region = dataclasses.replace(ARCHITECTURE.region, anchors=((1.0, 2.0), (2.0, 1.0)))
    architecture = dataclasses.replace(ARCHITECTURE, layers=(*ARCHITECTURE.layers[:-1], region))
    truth = np.float32([[[0.4, 0.4, 0.375, 0.375, 2]]])  # 1.5 x 1.5 cells: as far from one as from the other
    _, gradient = value_and_gradient(architecture, np.zeros((1, 4, 4, 16), np.float32), truth, 0)
    classes = np.asarray(gradient).reshape(4, 4, 2, 8)[..., 5:]
    assert np.argwhere(classes.any(axis=-1)).tolist() == [[1, 1, 0]]


def darknets_statistics(self, x, train):
    """Darknet's CPU code: the variance divides by N - 1, and its epsilon is outside the root."""
    mean = x.mean((0, 1, 2))
    var = jnp.square(x - mean[None, None, None]).sum((0, 1, 2)) / (x.size // x.shape[-1] - 1)
    return mean, jnp.square(jnp.sqrt(var) + 1e-6) - 1e-5


def test_with_darknets_variance_the_last_layer_moves_as_darknets(shared_data, monkeypatch):
    """By lr / batch * sum(delta * input), and the kernel decays."""
    monkeypatch.setattr(module.ConvolutionLayer, "_statistics", darknets_statistics)
    folder = shared_data / "darknet-oracle"
    architecture, variables = darknet.load(folder / "mini.cfg", folder / "mini.weights")
    with np.load(folder / "forward.npz") as oracle:
        images, truth = oracle["images_nchw"].transpose(0, 2, 3, 1), oracle["truth"]
    name = architecture.head_name

    def loss(layer, seen):
        params = {**variables["params"], name: layer}
        head, _ = network.apply_train(architecture, {**variables, "params": params}, images)
        return detection.region_loss(architecture, head, truth, seen)

    before = variables["params"][name]
    gradient = jax.jit(jax.grad(loss))
    for seen in (0, 100_000):
        _, after = darknet.load(folder / "mini.cfg", folder / f"after_one_step_seen{seen}.weights")
        moved = gradient(before, seen)
        for leaf, decay in (("bias", 0.0), ("kernel", 0.0005)):
            ours = -0.01 * (np.asarray(moved[leaf]) + decay * before[leaf])
            darknets = after["params"][name][leaf] - before[leaf]
            assert np.linalg.norm(ours - darknets) < 3e-6 * np.linalg.norm(darknets), (seen, leaf)
