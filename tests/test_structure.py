"""What holds for the tree as a whole: imports point one way, configs load."""

import ast
import importlib.util
import pathlib
import pkgutil
import subprocess
import sys

import ml_collections
import pytest

from yolojax import settings

ROOT = pathlib.Path(__file__).parents[1]
ORDER = [
    "api",
    "studies",
    "runs",
    "reporting",
    "settings",
    "inspection",
    "training",
    "runtimes",
    "export",
    "pruning",
    "data",
    "detection",
    "darknet",
    "network",
    "progress",
    "files",
    "quiet",
]
CONFIGS = sorted((ROOT / "configs").glob("*.py"))


def imported(path: pathlib.Path) -> set[str]:
    """The folders of yolojax that a module imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        found |= {name.split(".")[1] for name in names if name.startswith("yolojax.")}
    return found


@pytest.mark.parametrize("folder", ORDER)
def test_imports_point_down(folder):
    allowed = set(ORDER[ORDER.index(folder) :])
    for path in (ROOT / "yolojax" / folder).rglob("*.py"):
        assert imported(path) <= allowed, path


def test_every_folder_has_its_place():
    folders = {path.parent.name for path in (ROOT / "yolojax").glob("*/__init__.py")}
    assert folders <= set(ORDER)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_configs_load_and_say_how_they_are_run(path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    config = module.get_config()
    assert isinstance(config, ml_collections.ConfigDict)
    if path.stem != "base":
        assert f"--config configs/{path.name}" in module.__doc__
    settings.read(config)
    with pytest.raises(AttributeError):
        config.lock().train.learning_rat = 1.0


def test_the_studys_rows_have_configs():
    names = {path.stem for path in CONFIGS}
    assert names >= {f"filter{p}" for p in (20, 40, 60, 80)} | {f"weight{p}" for p in (70, 75, 80, 90)}


def test_all_modules_can_be_imported_in_one_process():
    names = [module.name for module in pkgutil.walk_packages([str(ROOT / "yolojax")], "yolojax.")]
    code = f"import importlib\nfor name in {names}: importlib.import_module(name)\n"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
