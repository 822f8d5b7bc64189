"""docs/input.md keeps what it promises: it lists the cases of these tests, and nothing that is read is run."""

import pathlib
import re

from scripts import make_input_docs

PACKAGE = pathlib.Path(__file__).parents[2] / "yolojax"
RUNS_WHAT_IT_READS = re.compile(
    r"\b(pickle|marshal|shelve|dill|cloudpickle|joblib|runpy)\b|allow_pickle=True|np\.load\(|numpy\.load\("
    r"|\byaml\.(?!load\(text, Loader=LOADER\)|SafeLoader\b|YAMLError\b)\w"
    r"|(?<![\w.])(eval|exec|compile|__import__)\(|\bos\.system\(|shell=True|extractall\("
)


def test_its_tables_are_generated_from_the_cases():
    text = make_input_docs.PAGE.read_text()
    current = make_input_docs.renewed(text) == text
    assert current, "docs/input.md differs from the cases in tests/input/; run: python scripts/make_input_docs.py"


def test_nothing_that_is_read_is_unpickled_or_evaluated():
    for path in sorted(PACKAGE.rglob("*.py")):
        for number, line in enumerate(path.read_text().splitlines(), start=1):
            assert not RUNS_WHAT_IT_READS.search(line), f"{path}:{number}: {line.strip()}"
