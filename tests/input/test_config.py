"""Config files that are wrong, read as a command parses its flags."""

import sys

import pytest
from absl import flags
from ml_collections import config_flags

from tests.input.cases import Good, refused
from yolojax import training
from yolojax.experiments import command

FILE = "config"
CONFIG = "import ml_collections\ndef get_config():\n    return ml_collections.ConfigDict({'batch_size': 4})\n"

pytestmark = pytest.mark.filterwarnings("ignore:the load_module:DeprecationWarning")  # ml_collections


def parse_config(good: Good, monkeypatch: pytest.MonkeyPatch, content: str | bytes | None = None, *overrides: str):
    """As a command parses its flags."""
    values = flags.FlagValues()
    config_flags.DEFINE_config_file("config", None, "The run.", flag_values=values)
    monkeypatch.setattr(command.flags, "FLAGS", values)
    if content is not None:
        good.write("c.py", content)
    argv = ["train", "--config", str(good.folder / "c.py"), *overrides]
    monkeypatch.setattr(sys, "argv", argv)  # where ml_collections looks for overrides
    command._parse(argv)
    return values.config


@refused("missing", "error: Configuration is not available …: …c.py…No such file or directory: …")
def test_missing(good, monkeypatch):
    parse_config(good, monkeypatch).batch_size  # noqa: B018


@refused("empty", "error: module 'config_config' has no attribute 'get_config'")
def test_empty(good, monkeypatch):
    parse_config(good, monkeypatch, "")


@refused("truncated", "error: the config does not run: IndentationError: … (c.py, line 2)")
def test_truncated(good, monkeypatch):
    parse_config(good, monkeypatch, CONFIG[:40])


@refused("another kind of file", "error: the config does not run: SyntaxError: …")
def test_another_kind_of_file(good, monkeypatch):
    parse_config(good, monkeypatch, good.bytes("m.weights"))


@refused("not UTF-8", "error: the config does not run: SyntaxError: (unicode error) … (c.py, line 1)")
def test_not_utf8(good, monkeypatch):
    parse_config(good, monkeypatch, "x = 'café'\n".encode("latin-1"))


@refused("a mistake in it", "error: the config does not run: NameError: name 'ml_collection' is not defined")
def test_a_mistake_in_it(good, monkeypatch):
    parse_config(good, monkeypatch, CONFIG.replace("ml_collections.Config", "ml_collection.Config"))


@refused("an unknown field", 'error: …Did you mean "batch_size" instead of "batch_sise"?…')
def test_an_unknown_field(good, monkeypatch):
    parse_config(good, monkeypatch, CONFIG, "--config.batch_sise=8")


@refused("a negative batch", "error: batch_size -8 does not divide over 4 devices; use a multiple of that")
def test_a_negative_batch(good, monkeypatch):
    training.check_batch_size(parse_config(good, monkeypatch, CONFIG, "--config.batch_size=-8").batch_size)
