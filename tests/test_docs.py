"""The pages: their links lead somewhere, what they name exists, and their Python runs."""

import pathlib
import re
import shutil

import pytest

from tests.test_structure import ORDER
from yolojax import export, pruning, settings

ROOT = pathlib.Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
RUNNABLE = ["README.md", "docs/index.md", "docs/architecture.md"]
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())


def anchors(page: pathlib.Path) -> set[str]:
    """What `#...` may name in a page: its headings in lower case, words joined by hyphens."""
    titles = re.findall(r"^#+ (.+)$", FENCED.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"\s+", "-", re.sub(r"[^\w\s-]", "", title.lower()).strip()) for title in titles}


def broken_links(page: pathlib.Path) -> list[str]:
    """The relative links and images of a page that lead nowhere."""
    found = []
    for link in LINK.findall(FENCED.sub("", page.read_text())):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            found.append(link)
    return found


@each_page
def test_links_and_images_lead_somewhere(page):
    assert broken_links(page) == []


def test_a_link_that_leads_nowhere_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# Two words\n[a](#two-words) [b](#three) ![c](no.png) [d](https://host/x) [e](page.md#four)\n")
    assert broken_links(page) == ["#three", "no.png", "page.md#four"]


@each_page
def test_commands_configs_and_scripts_exist(page):
    text = page.read_text()
    modules = re.findall(r"-m yolojax\.([a-z_]+)", text)
    named = [f"yolojax/{name}.py" for name in modules]
    named += re.findall(r"\b(?:configs|scripts|third_party)/[\w/.-]+\.(?:py|sh|cfg)\b", text)
    assert [name for name in named if not (ROOT / name).is_file()] == []


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "CHANGELOG.md"], ids=lambda page: page.name)
def test_config_fields_exist(page):
    fields = {line.split("=")[0].removeprefix("--") for line in settings.describe_fields()}
    named = re.findall(r"--(config\.[\w.]+)", page.read_text())
    assert set(named) - fields <= {"config.SECTION.FIELD"}


def rows(page: str, cells: int) -> dict[str, list[str]]:
    """{first cell: the others} of the rows that have so many cells and begin with a name in a page's tables."""
    found = re.findall(r"^\| `(\w+)` \|(.*)\|$", (ROOT / "docs" / page).read_text(), re.MULTILINE)
    return {name: rest.split("|") for name, rest in found if rest.count("|") == cells - 2}


def test_the_table_of_sections_names_every_field():
    declared: dict[str, set[str]] = {}
    for line in settings.describe_fields():
        _, section, field = line.split("=")[0].split(".")
        declared.setdefault(section, set()).add(field)
    found = rows("commands.md", 3)
    assert {section: set(re.findall(r"`(\w+)`", found[section][1])) for section in declared} == declared


def test_the_table_of_criteria_is_the_registry():
    found = rows("commands.md", 3)
    published = {name: f"{criterion.reference}, `{criterion.scope}`" for name, criterion in pruning.CRITERIA.items()}
    assert {name: found[name][1].strip() for name in published} == published


def test_the_table_of_formats_is_the_registry():
    found = rows("commands.md", 4)
    assert found.keys() == export.FORMATS.keys()
    for name, entry in export.FORMATS.items():
        assert found[name][2].strip().startswith("yes") == (entry.read is not None)
    for option in export.format_options().values():
        assert any(f"--{option.name}" in found[name][1] for name in option.formats)


def test_the_house_on_the_page_is_the_one_that_imports_follow():
    house = re.findall(r"^  (\w+)(?:/|\.py) ", (ROOT / "docs" / "architecture.md").read_text(), re.MULTILINE)
    assert [name for name in house if name != "cli"] == ["train", *ORDER]


@each_page
def test_tests_exist(page):
    sources = [path.read_text() for path in (ROOT / "tests").rglob("*.py")]
    names = re.findall(r"`(test_\w+)`", page.read_text())
    assert [name for name in names if not any(f"def {name}(" in source for source in sources)] == []


def test_every_package_has_its_page():
    packages = {path.parent.name for path in (ROOT / "yolojax").glob("*/__init__.py")}
    assert {path.stem for path in (ROOT / "docs" / "api").glob("*.md")} - {"index"} == packages


@pytest.mark.slow
@pytest.mark.parametrize("page", RUNNABLE)
def test_python_runs(page, tmp_path, monkeypatch):
    for folder in ("configs", "third_party"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```$", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, page, "exec"), {})
    assert {path.name for path in tmp_path.iterdir()} <= {"configs", "third_party", "small.cfg", "small.weights"}
