import dataclasses

import numpy as np
import pytest

from tests import helpers
from yolojax import network, runtimes
from yolojax.runtimes import latency


class Pretended(runtimes.Session):
    """A runtime whose layers take 1 ms, and 1 us for each product of channels; no call takes time."""

    def __init__(self, program):
        self.architecture = program.architecture

    def run(self, arranged):
        return np.zeros(1)

    def layer_seconds(self, arranged, rounds):
        return {conv.name: seconds(conv.in_channels, conv.layer.filters) for conv in self.architecture.convolutions}


def seconds(before, after):
    return 1e-3 + 1e-6 * before * after


@pytest.fixture
def runtime(monkeypatch):
    monkeypatch.setattr(latency, "race", pretended_race)
    return runtimes.Runtime(
        "pretended", "Pretended", "numpy", frozenset({"model"}), lambda program, *_: Pretended(program)
    )


def pretended_race(calls, *, rounds):
    """Calls take what their layers do, and half a millisecond."""
    return {key: timed(call.func.__self__.architecture) for key, call in calls.items()}


def whole(architecture):
    return 5e-4 + sum(seconds(conv.in_channels, conv.layer.filters) for conv in architecture.convolutions)


def timed(architecture):
    return runtimes.Timing(whole(architecture), 0.0, 1.0, 1)


def test_the_fit_knows_networks_that_it_has_not_seen(runtime):
    architecture = helpers.small_architecture()
    table = runtimes.measure_latency(architecture, runtime, size=32)
    assert table.unpruned == whole(architecture)
    assert table.error < 1e-3
    rng = np.random.default_rng(7)
    for _ in range(5):
        other = network.with_filters(
            architecture, {name: 4 * int(rng.integers(1, 3)) for name in ("conv_00", "conv_04")}
        )
        assert table.seconds(other) == pytest.approx(whole(other), rel=1e-3)


def test_fewer_filters_never_take_longer(runtime):
    architecture = helpers.small_architecture()
    table = runtimes.measure_latency(architecture, runtime, size=32)
    assert all(value >= 0 for row in table.layers.values() for value in row)
    costs = [table.seconds(network.with_filters(architecture, {"conv_11": count})) for count in range(16, 0, -1)]
    assert costs == sorted(costs, reverse=True)


def test_a_table_is_read_as_it_was_written(runtime, tmp_path):
    table = runtimes.measure_latency(helpers.small_architecture(), runtime, size=32)
    table = dataclasses.replace(table, correction=1.5)
    table.write(tmp_path / "t.json")
    assert runtimes.read_table(tmp_path / "t.json") == table
    (tmp_path / "t.json").write_text('{"layers": {}}')
    with pytest.raises(ValueError, match="expected a latency table"):
        runtimes.read_table(tmp_path / "t.json")


def test_a_runtime_that_cannot_tell():
    with pytest.raises(ValueError, match="the runtime jax does not tell what each layer takes"):
        runtimes.measure_latency(helpers.small_architecture(), runtimes.RUNTIMES["jax"], size=32)


def test_the_grid_is_the_finest_that_costs_little(monkeypatch, runtime):
    def likes_eights(calls, *, rounds):
        networks = {key: call.func.__self__.architecture for key, call in calls.items()}
        return {key: runtimes.Timing(padded_products(one), 0, 0, 1) for key, one in networks.items()}

    def padded_products(one):
        return sum(conv.in_channels * 8 * -(-conv.layer.filters // 8) for conv in one.convolutions)

    monkeypatch.setattr(latency, "race", likes_eights)
    conv = network.Convolutional
    wide = network.Architecture(
        network.Net(8, 8),
        (conv(64, 3, padding=1), conv(128, 3, padding=1), conv(12), network.Region(((1.0, 1.0), (2.0, 2.0)), 1)),
    )
    assert latency._find_grid(wide, runtime, 8) == 8
