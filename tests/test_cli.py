import logging
import pathlib

import orbax.checkpoint
import pytest

import yolojax
from yolojax import cli

PACKAGE = pathlib.Path(yolojax.__file__).parent
ORBAX = pathlib.Path(orbax.checkpoint.__file__).parent
CLONE = pathlib.Path("/home/me/orbax/yolojax")  # neither name says whose a module is


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
