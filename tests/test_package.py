"""What `import yolojax` gives, and what an installation brings along."""

import pathlib
import pkgutil
import subprocess
import sys
import tomllib

import pytest

import yolojax

ROOT = pathlib.Path(__file__).parents[1]


def python(code: str) -> str:
    """What a new interpreter prints."""
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def test_importing_the_package_loads_nothing_else():
    heavy = "{'jax', 'flax', 'numpy', 'cv2', 'tensorflow_datasets'}"
    assert python(f"import sys, yolojax; dir(yolojax); print({heavy} & set(sys.modules))") == "set()"


def test_a_subpackage_is_there_when_it_is_first_used():
    assert python("import yolojax; print(yolojax.pruning.filter_masks.__module__)").startswith("yolojax.pruning")


def test_dir_names_every_subpackage_and_the_version():
    subpackages = {module.name for module in pkgutil.iter_modules(yolojax.__path__) if module.ispkg}
    assert set(dir(yolojax)) == subpackages | {"__version__", "new", "open"}
    for name in subpackages:
        assert getattr(yolojax, name).__name__ == f"yolojax.{name}"


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'yolojax' has no attribute 'prunning'"):
        yolojax.prunning  # noqa: B018


def test_all_files_of_the_package_are_installed():
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["yolojax"]
    package = ROOT / "yolojax"
    installed = {path for pattern in patterns for path in package.glob(pattern)}
    files = {path for path in package.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")}
    assert package / "py.typed" in files
    assert files == installed
