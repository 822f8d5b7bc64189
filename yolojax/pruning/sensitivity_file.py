"""Reading a sensitivity.json that a user names: every value that is taken from it is checked."""

import itertools
import json
import math
from typing import TypedDict, TypeGuard, cast

from yolojax.files import Path, read_text

MAX_BYTES = 1 << 24
EXPECTED = "a sensitivity.json that yolojax.study wrote"


class LayerSensitivity(TypedDict):
    """One layer: how many weights or filters it has, and the mAP without each of the `amounts` of them."""

    size: int
    map_11point: list[float]


class Sensitivity(TypedDict):
    """What pruning takes from a sensitivity.json; `original` is the unpruned network's mAP, `total` as in `total`."""

    method: str
    amounts: list[float]
    original: float
    total: int
    layers: dict[str, LayerSensitivity]


def read_sensitivity(path: Path) -> Sensitivity:
    """The analysis in `path`, as `yolojax.study` writes it.

    Raises ValueError with the path and what is wrong, and OSError.
    """
    text = read_text(path, MAX_BYTES, EXPECTED)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not JSON ({str(error)[:80]}), expected {EXPECTED}") from None
    if problem := _problem(found):
        raise ValueError(f"{path}: {problem}, expected {EXPECTED}")
    return cast(Sensitivity, found)


def _problem(found: object) -> str:
    """What is wrong; empty for nothing."""
    if not isinstance(found, dict) or not isinstance(found.get("layers"), dict):
        return "no layers in it"
    if not isinstance(found.get("method"), str):
        return "no method in it"
    amounts = found.get("amounts")
    if not _are_fractions(amounts) or any(a >= b for a, b in itertools.pairwise([0, *amounts])):
        return "amounts do not ascend from above 0 to at most 1"
    if not _are_fractions([found.get("original")]):
        return "original is not an mAP"
    if not _is_count(found.get("total")):
        return "total does not count weights or filters"
    for name, layer in found["layers"].items():
        if not isinstance(layer, dict) or not _is_count(layer.get("size")):
            return f"size of layer {name[:40]!r} does not count weights or filters"
        scores = layer.get("map_11point")
        if not _are_fractions(scores) or len(scores) != len(amounts):
            return f"map_11point of layer {name[:40]!r} is not one mAP for each amount"
    return ""


def _are_fractions(values: object) -> TypeGuard[list[float]]:
    """Whether this is a list of finite numbers in 0..1."""
    return isinstance(values, list) and all(
        isinstance(value, int | float) and math.isfinite(value) and 0 <= value <= 1 for value in values
    )


def _is_count(value: object) -> bool:
    return isinstance(value, int) and 0 < value <= 10**9
