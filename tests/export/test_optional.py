import pathlib
import subprocess
import sys

import pytest

from yolojax import export

ROOT = pathlib.Path(__file__).parents[2]


def test_an_absent_package_is_one_clear_line():
    with pytest.raises(ValueError, match=r"^the package no_such is not installed; pip install yolojax\[export\]$"):
        export.require("no_such.part")


def test_a_package_that_is_broken_is_not_called_absent(tmp_path, monkeypatch):
    (tmp_path / "broken_package.py").write_text("import what_it_needs")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ModuleNotFoundError, match="what_it_needs"):
        export.require("broken_package")


def test_a_present_one_comes_back():
    assert export.require("json.decoder") is sys.modules["json.decoder"]


def test_openvino_leaves_the_handlers_of_the_log_alone():
    code = (
        "import absl.logging, logging; from yolojax import export; absl.logging.use_absl_handler(); "
        "before = logging.root.handlers[:]; assert absl.logging.get_absl_handler() in before; "
        "export.require_openvino(); assert logging.root.handlers == before"
    )
    pytest.importorskip("openvino")
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
