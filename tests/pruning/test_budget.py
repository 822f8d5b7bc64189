import jax
import pytest

from tests import helpers
from yolojax import network, pruning

ARCHITECTURE = helpers.small_architecture()


@pytest.mark.parametrize(
    ("text", "unit", "value", "share"),
    [
        ("macs=30%", "macs", 0.3, True),
        ("params=1M", "params", 1e6, False),
        ("bytes=1.5MB", "bytes", 1.5e6, False),
        ("bytes=250KB", "bytes", 250e3, False),
        ("bytes=250kB", "bytes", 250e3, False),
        ("params=200k", "params", 200e3, False),
        ("filters=60%", "filters", 0.6, True),
        ("weights=2K", "weights", 2000, False),
        ("macs=.5G", "macs", 5e8, False),
        ("params=12000", "params", 12000, False),
    ],
)
def test_what_users_write(text, unit, value, share):
    found = pruning.parse_budget(text)
    assert (found.unit, found.value, found.share) == (unit, pytest.approx(value), share)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "macs",
        "macs=",
        "macs=half",
        "mac=30%",
        "macs=0%",
        "macs=130%",
        "macs=-1",
        "30%",
        "macs=50",
        "bytes=1",
        "weights=5",
    ],
)
def test_what_is_not_a_budget(text):
    with pytest.raises(ValueError, match=r"^budget '.*', expected"):
        pruning.parse_budget(text)


def test_targets_in_each_unit():
    params = network.init(ARCHITECTURE, jax.random.key(0))["params"]
    assert pruning.parse_budget("params=50%").target(ARCHITECTURE, 64) == pruning.count_parameters(params) / 2
    assert pruning.parse_budget("macs=100%").target(ARCHITECTURE, 64) == pruning.macs(ARCHITECTURE, 64, 64)
    assert pruning.parse_budget("bytes=100%").target(ARCHITECTURE, 64) == pruning.dense_bytes(ARCHITECTURE)
    assert pruning.parse_budget("bytes=1K").target(ARCHITECTURE, 64) == 1000
    assert pruning.parse_budget("filters=50%").target(ARCHITECTURE, 64) == (4 * 8 + 4 + 16) / 2
    kernels = sum(layer["kernel"].size for layer in params.values())
    assert pruning.parse_budget("weights=100%").target(ARCHITECTURE, 64) == kernels


@pytest.mark.parametrize("unit", ["filters", "weights"])
def test_filters_and_weights_that_are_left(unit):
    variables = helpers.random_variables(ARCHITECTURE)
    budget = pruning.parse_budget(f"{unit}=60%")
    masks = pruning.budget_masks(
        ARCHITECTURE,
        variables["params"],
        pruning.filter_lamp(ARCHITECTURE, variables["params"]),
        cost=budget.cost(64),
        target=budget.target(ARCHITECTURE, 64),
    )
    smaller, small = pruning.remove_filters(ARCHITECTURE, variables, masks)
    filters = {conv.name: conv.layer.filters for conv in smaller.convolutions if conv.name != smaller.head_name}
    if unit == "filters":
        assert 31.2 - 4 < sum(filters.values()) <= 31.2  # of 52, within one group
    else:
        assert sum(layer["kernel"].size for layer in small["params"].values()) <= 0.6 * pruning.count_weights(
            variables["params"]
        )
