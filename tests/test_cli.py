import logging
import pathlib
import sys

import orbax.checkpoint
import pytest

import yolojax
from yolojax import __main__, cli

PACKAGE = pathlib.Path(yolojax.__file__).parent
ORBAX = pathlib.Path(orbax.checkpoint.__file__).parent
CLONE = pathlib.Path("/home/me/orbax/yolojax")  # neither name says whose a module is
# ml_collections loads configs by it.
pytestmark = pytest.mark.filterwarnings("ignore:the load_module")


@pytest.mark.parametrize(
    ("path", "level", "shown"),
    [
        (PACKAGE / "training" / "loop.py", logging.INFO, True),
        (PACKAGE / "training" / "loop.py", logging.ERROR, True),
        (CLONE / ".venv" / "tensorflow_datasets" / "builder.py", logging.INFO, False),
        (CLONE / ".venv" / "tensorflow_datasets" / "builder.py", logging.WARNING, False),
        (CLONE / ".venv" / "tensorflow_datasets" / "builder.py", logging.ERROR, True),
        (ORBAX / "manager.py", logging.INFO, False),
        (ORBAX / "manager.py", logging.ERROR, False),
    ],
)
def test_a_line_of_the_log_is_by_yolojax_or_an_error(path, level, shown):
    record = logging.LogRecord("absl", level, str(path), 1, "text", (), None)
    assert cli._is_worth_a_line(record) == shown


def run(monkeypatch, capfd, *arguments):
    """What `yolojax ARGUMENTS` prints, and its exit code."""
    monkeypatch.setattr(sys, "argv", ["yolojax", *arguments])
    monkeypatch.setattr(sys, "path", [*sys.path])
    try:
        __main__.main()
        code = 0
    except SystemExit as left:
        code = left.code
    sys.modules.pop("config_config", None)  # ml_collections would load the next config on top of this one
    out, err = capfd.readouterr()
    return code, out, err


@pytest.mark.parametrize("arguments", [(), ("--help",), ("help",)])
def test_without_a_command_all_are_listed(monkeypatch, capfd, arguments):
    code, out, _ = run(monkeypatch, capfd, *arguments)
    assert code == 0
    assert all(f"python -m yolojax.{name} " in out for name in ("benchmark", "compare", "detect", "prune", "train"))


def test_a_command_runs_with_what_follows_its_name(monkeypatch, capfd):
    code, out, _ = run(monkeypatch, capfd, "prune", "--help")
    assert code == 0
    assert out.startswith("Prune a network")
    assert "--config.prune.budget=" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("prun",), "error: no command 'prun'; did you mean prune?"),
        (("zzz",), "error: no command 'zzz'; expected one of benchmark, compare, "),
        (("prune", "--model", "x"), "error: Unknown command line flag 'model'. Did you mean --config.model.start?"),
        (("train", "--steps=5"), "error: Unknown command line flag 'steps'. Did you mean --config.train.steps?"),
        (("prune", "--config", "x.py"), "error: --config x.py: no such file, expected a config, as those in "),
        (
            ("prune", "--config=configs/repair.py", "--config.prune.amount=0.3"),
            "error: prune.amount has no effect beside the config's prune.budget=macs=50%; set that, or add",
        ),
        (("detect", "--steps=5"), "error: Unknown command line flag 'steps'"),
        (("detect", "photo.jpg"), "error: --model is missing; see --help"),
        (("convert", "--model=m.weights", "--to=tflite", "--out=m"), "error: flag --to=tflite: value should be one of"),
    ],
)
def test_a_mistake_is_one_line_that_names_what_was_meant(monkeypatch, capfd, arguments, message):
    code, out, err = run(monkeypatch, capfd, *arguments)
    assert code == 2
    assert out == ""
    assert err.startswith(message)
    assert err.count("\n") == 1


@pytest.mark.parametrize("given", [("--config=configs/repair.py",), ("--config", "configs/repair.py"), ()])
def test_a_config_of_the_checkout_is_found_from_anywhere(monkeypatch, capfd, tmp_path, given):
    monkeypatch.chdir(tmp_path)
    code, out, _ = run(monkeypatch, capfd, "prune", *given, "--config.prune.floor=0.25", "--help")
    assert code == 0
    assert "--config.prune.floor=0.25 " in out
    assert not given or "--config.prune.budget='macs=50%'" in out


def test_an_amount_in_place_of_the_configs_budget(monkeypatch, capfd):
    fields = ("--config=configs/repair.py", "--config.prune.amount=0.3", "--config.prune.budget=")
    code, out, _ = run(monkeypatch, capfd, "prune", *fields, "--help")
    assert code == 0
    assert "--config.prune.budget=" in out
