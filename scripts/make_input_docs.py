#!/usr/bin/env python3
"""Renews the tables of docs/input.md from the cases in tests/input/; the prose between them is written by hand.

python scripts/make_input_docs.py
"""

import importlib
import os
import pathlib
import re
import sys
from types import ModuleType

ROOT = pathlib.Path(__file__).parents[1]
PAGE = ROOT / "docs" / "input.md"
HEADER = ["| what is wrong | what the user sees |", "|---|---|"]
TABLE = re.compile(r"(?:^\|.*\n)+", re.MULTILINE)
sys.path.insert(0, str(ROOT))
os.environ.setdefault("JAX_PLATFORMS", "cpu")

from tests.input.cases import Case  # noqa: E402


def renewed(text: str) -> str:
    """The page's text with the tables of the present cases.

    Each kind of file has a section of its name with one table. Raises ValueError where sections and kinds differ.
    """
    tables = {module.FILE: table(module) for module in readers()}
    start, *sections = re.split(r"^## ", text, flags=re.MULTILINE)
    kinds = [section.partition("\n")[0] for section in sections]
    if sorted(kinds) != sorted(tables):
        raise ValueError(f"{PAGE.name} has the sections {sorted(kinds)}, but the kinds of files are {sorted(tables)}")
    found = [with_table(section, tables[kind]) for kind, section in zip(kinds, sections, strict=True)]
    return "## ".join([start, *found])


def readers() -> list[ModuleType]:
    """The modules of tests that declare cases."""
    paths = sorted((ROOT / "tests" / "input").glob("test_*.py"))
    modules = [importlib.import_module(f"tests.input.{path.stem}") for path in paths]
    return [module for module in modules if cases(module)]


def cases(module: ModuleType) -> list[Case]:
    """The module's cases, in the order in which they stand there."""
    found = [getattr(value, "case", None) for value in vars(module).values()]
    return [case for case in found if isinstance(case, Case)]


def table(module: ModuleType) -> str:
    """The module's cases in Markdown. Raises ValueError where one stands twice."""
    wrong = [case.wrong for case in cases(module)]
    if len(set(wrong)) < len(wrong):
        raise ValueError(f"{module.__name__} declares a case twice: {wrong}")
    lines = [f"| {case.wrong} | `{case.sees}`{f'; {case.note}' if case.note else ''} |" for case in cases(module)]
    return "\n".join([*HEADER, *lines]) + "\n"


def with_table(section: str, content: str) -> str:
    """The section with another table. Raises ValueError where it has none or several."""
    before, *after = TABLE.split(section)
    if len(after) != 1:
        raise ValueError(f"{len(after)} tables in the section {section[:20]!r} of {PAGE.name}, expected one")
    return before + content + after[0]


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text()))
