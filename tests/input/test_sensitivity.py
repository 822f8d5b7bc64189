"""Wrong and hostile results of a sensitivity analysis."""

import json

from tests import helpers
from tests.input.cases import Good, refused
from yolojax.runs import masking
from yolojax.settings import PruneSettings

FILE = "sensitivity.json"


def read_sensitivity(good: Good, content: str | bytes | None = None, method: str = "filter", **changes: object):
    if content is not None:
        good.write("sensitivity.json", content)
    if changes:
        good.write("sensitivity.json", json.dumps(json.loads(good.text("sensitivity.json")) | changes))
    path = str(good.folder / "sensitivity.json")
    about = PruneSettings(amounts=path, method=method, amount=0.05)
    return masking.read_amounts(about, helpers.small_architecture())


@refused("missing", "error: …sensitivity.json: no such file, expected a sensitivity.json that yolojax.study wrote")
def test_missing(good):
    (good.folder / "sensitivity.json").unlink()
    read_sensitivity(good)


@refused("empty", "error: …sensitivity.json: not JSON (…), expected a sensitivity.json that yolojax.study wrote")
def test_empty(good):
    read_sensitivity(good, "")


@refused("truncated", "error: …sensitivity.json: not JSON (…), expected a sensitivity.json that yolojax.study wrote")
def test_truncated(good):
    read_sensitivity(good, good.text("sensitivity.json")[:-30])


@refused(
    "too long",
    "error: …sensitivity.json:1: more than 16777216 bytes, expected a sensitivity.json that yolojax.study wrote",
)
def test_too_long(good):
    good.long("sensitivity.json", 1 << 40)
    read_sensitivity(good)


@refused("another kind of file", "error: …sensitivity.json:1: byte 0xff, expected UTF-8 text")
def test_another_kind_of_file(good):
    read_sensitivity(good, good.jpeg())


@refused(
    "other JSON",
    "error: …sensitivity.json: no layers in it, expected a sensitivity.json that yolojax.study wrote",
)
def test_other_json(good):
    read_sensitivity(good, "[1, 2]")


@refused(
    "nested 100,000 deep",
    "error: …sensitivity.json: not JSON (…), expected a sensitivity.json that yolojax.study wrote",
)
def test_nested_100000_deep(good):
    read_sensitivity(good, "[" * 100_000)


@refused(
    "NaN for a number",
    "error: …sensitivity.json: original is not an mAP, expected a sensitivity.json that yolojax.study wrote",
)
def test_nan_for_a_number(good):
    read_sensitivity(good, original=float("nan"))


@refused(
    "a layer of 10^30 filters",
    "error: …sensitivity.json: size of layer 'conv_00' does not count weights or filters, "
    "expected a sensitivity.json that yolojax.study wrote",
)
def test_a_layer_of_1e30_filters(good):
    read_sensitivity(good, layers={"conv_00": {"size": 10**30, "map_11point": [0.4, 0.1]}})


@refused(
    "amounts that do not ascend",
    "error: …sensitivity.json: amounts do not ascend from above 0 to at most 1, "
    "expected a sensitivity.json that yolojax.study wrote",
)
def test_amounts_that_do_not_ascend(good):
    read_sensitivity(good, amounts=[0.5, 0.2])


@refused(
    "of another network",
    "error: …sensitivity.json names conv_77, which this network does not have; measure this network's sensitivity",
)
def test_of_another_network(good):
    read_sensitivity(good, layers={"conv_77": {"size": 8, "map_11point": [0.4, 0.1]}})


@refused("about another method", "error: …sensitivity.json was measured for method filter, the config prunes by weight")
def test_about_another_method(good):
    read_sensitivity(good, method="weight")
