"""The walk over layers, and what each function that matches on kinds does with an unknown one."""

import ast
import dataclasses
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar, get_args

import jax
import jax.numpy as jnp
import pytest

from tests import helpers
from yolojax import darknet, network, pruning
from yolojax.darknet.limits import check_limits
from yolojax.network import Architecture, Shape

PACKAGE = pathlib.Path(network.__file__).parents[1]
KINDS = {kind.__name__ for kind in get_args(network.Layer)}


def test_each_layer_sees_the_values_of_those_that_it_reads() -> None:
    architecture = helpers.small_architecture()
    seen = network.walk(architecture, ["image"], lambda index, layer, sources: [f"{layer.kind}{index}", *sources])
    assert len(seen) == len(architecture.layers)
    assert seen[0] == ["conv0", ["image"]]
    assert seen[7] == ["route7", seen[4]]
    assert seen[10] == ["route10", seen[9], seen[6]]


@dataclasses.dataclass(frozen=True)
class L2norm(network.AnyLayer):
    """A kind that no function of the package knows."""

    kind: ClassVar[str] = "l2norm"
    stride: ClassVar[int] = 1

    def output_shape(self, sources: Sequence[Shape]) -> Shape:
        return sources[0]


class Chain(Architecture):
    """Each layer reads the one before, whatever its kind is."""

    def sources(self, index: int) -> tuple[int, ...]:
        return (index - 1,)


def _with_l2norm(kind: type[Architecture]) -> Architecture:
    return kind(network.Net(4, 4), (network.Convolutional(2), L2norm()))  # type: ignore[arg-type]


def _onnx(architecture: Architecture) -> None:
    pytest.importorskip("onnx")
    from yolojax.export.onnx import onnx_model

    onnx_model(architecture, helpers.random_variables(BEFORE))


IMAGES = jnp.ones((1, 4, 4, 3))
BEFORE = Architecture(network.Net(4, 4), (network.Convolutional(2),))
READERS: dict[str, Callable[[Architecture], object]] = {
    "apply": lambda a: network.apply(a, helpers.random_variables(BEFORE), IMAGES),
    "apply_train": lambda a: network.apply_train(a, helpers.random_variables(BEFORE), IMAGES),
    "init": lambda a: network.init(a, jax.random.key(0)),
    "format_cfg": darknet.format_cfg,
    "check_limits": check_limits,
    "channel_origins": pruning.channel_origins,
    "onnx_model": _onnx,
}


@pytest.mark.usefixtures("unchecked_types")
@pytest.mark.parametrize("reader", READERS)
def test_an_unknown_kind_is_refused(reader: str) -> None:
    architecture = _with_l2norm(Chain)
    assert architecture.shapes == (Shape(4, 4, 2), Shape(4, 4, 2))
    with pytest.raises(AssertionError, match="Expected code to be unreachable, but got: L2norm"):
        READERS[reader](architecture)


@pytest.mark.usefixtures("unchecked_types")
def test_an_architecture_does_not_hold_an_unknown_kind() -> None:
    with pytest.raises(AssertionError, match="Expected code to be unreachable, but got: L2norm"):
        _with_l2norm(Architecture)


def _matches_on_layers(tree: ast.AST) -> Iterator[ast.Match]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Match):
            patterns = [part for case in node.cases for part in ast.walk(case.pattern)]
            names = {ast.unparse(part.cls) for part in patterns if isinstance(part, ast.MatchClass)}
            if {name.rpartition(".")[2] for name in names} & KINDS:
                yield node


def _chains_on_layers(tree: ast.AST) -> Iterator[ast.If]:
    """`if isinstance(layer, A): ... elif isinstance(layer, B): ...`, which should be a match."""
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and len(node.orelse) == 1 and isinstance(node.orelse[0], ast.If):
            tests = ast.unparse(node.test), ast.unparse(node.orelse[0].test)
            if all("isinstance" in test and any(kind in test for kind in KINDS) for test in tests):
                yield node


def test_each_match_on_a_layer_ends_in_assert_never() -> None:
    found = 0
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in _matches_on_layers(tree):
            found += 1
            last = node.cases[-1]
            where = f"{path.relative_to(PACKAGE)}:{node.lineno}"
            assert ast.unparse(last.pattern) == "_", where
            assert ast.unparse(last.body[0]) == f"assert_never({ast.unparse(node.subject)})", where
        assert not list(_chains_on_layers(tree)), path
    assert found >= 6
