"""docs/extending.md: every example runs as it stands and holds what it asserts; the places that it names exist."""

import ast
import pathlib
import re
from collections.abc import Iterator

import pytest

from yolojax import data, export, network, pruning, training

ROOT = pathlib.Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "extending.md").read_text()
INTRODUCTION, *SECTIONS = re.split(r"^## ", PAGE, flags=re.MULTILINE)
BY_TITLE = {section.splitlines()[0]: section for section in SECTIONS}
REGISTRIES = (pruning.CRITERIA, training.LOSSES, export.FORMATS, data.SOURCES)


def python(text: str) -> list[str]:
    """The Python blocks of a text."""
    return re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.fixture
def registries() -> Iterator[None]:
    """What an example registers goes again."""
    before = [dict(registry) for registry in REGISTRIES]
    yield
    for registry, entries in zip(REGISTRIES, before, strict=True):
        registry.clear()
        registry.update(entries)


@pytest.mark.usefixtures("registries")
@pytest.mark.parametrize("title", BY_TITLE)
def test_examples_run(title, tmp_path, monkeypatch, request):
    if title == "A layer kind":  # its class is no Layer, and what a function does with it is the example
        request.getfixturevalue("unchecked_types")
    monkeypatch.chdir(tmp_path)
    blocks = python(BY_TITLE[title])
    assert any("assert" in block for block in blocks)
    namespace: dict[str, object] = {}
    for block in python(INTRODUCTION) + blocks:
        exec(compile(block, f"docs/extending.md, {title}", "exec"), namespace)


def test_each_seam_has_its_section():
    table = re.findall(r"^\| \[.*?\]\(#(.*?)\) \| .* \| `(.*?)` \|$", INTRODUCTION, re.MULTILINE)
    assert [anchor.replace("-", " ") for anchor, _ in table] == [title.lower() for title in BY_TITLE]
    registered = {"pruning.CRITERIA", "training.LOSSES", "export.FORMATS", "data.SOURCES"}
    assert registered < {entry for _, entry in table}


def matches_on_layers(path: pathlib.Path) -> list[str]:
    """The functions and classes of a module that hold a match on layers."""
    tree = ast.parse(path.read_text())
    owners = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    matches = [node for node in ast.walk(tree) if isinstance(node, ast.Match) and "Region()" in ast.unparse(node)]
    return [o.name for o in owners if any(match in ast.walk(o) for match in matches)]


def test_the_places_that_a_layer_kind_needs_exist():
    section = BY_TITLE["A layer kind"]
    union = " | ".join(kind.__name__ for kind in network.Layer.__args__)
    assert f"-Layer = {union}\n+Layer = {union} | L2norm\n" in section
    named = dict(re.findall(r"^\| `([\w/]+\.py)`, `(\w+)` \|", section, re.MULTILINE))
    assert re.findall(r'^yolojax/(.*): error: .*"L2norm"', section, re.MULTILINE) == list(named)
    found = {
        path.relative_to(ROOT / "yolojax").as_posix(): matches_on_layers(path)
        for path in (ROOT / "yolojax").rglob("*.py")
    }
    assert {path for path, functions in found.items() if functions} == set(named)
    for path, function in named.items():
        assert function in found[path]
