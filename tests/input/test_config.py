"""Config files that are wrong, read as a command parses its flags."""

import sys

import pytest
from absl import flags
from ml_collections import config_flags

from tests.input.cases import Good, refused
from yolojax import cli, settings

FILE = "config"
CONFIG = "from yolojax import settings\ndef get_config():\n    return settings.default_config()\n"

pytestmark = pytest.mark.filterwarnings("ignore:the load_module:DeprecationWarning")  # ml_collections


def parse_config(good: Good, monkeypatch: pytest.MonkeyPatch, content: str | bytes | None = None, *overrides: str):
    """As a command parses its flags."""
    values = flags.FlagValues()
    config_flags.DEFINE_config_file("config", None, "The run.", flag_values=values)
    if content is not None:
        good.write("c.py", content)
    argv = ["train", "--config", str(good.folder / "c.py"), *overrides]
    monkeypatch.setattr(sys, "argv", argv)  # where ml_collections looks for overrides
    cli.parse(argv, values)
    return values.config


@refused("missing", "error: Configuration is not available …: …c.py…No such file or directory: …")
def test_missing(good, monkeypatch):
    parse_config(good, monkeypatch).train  # noqa: B018


@refused("empty", "error: module 'config_config' has no attribute 'get_config'")
def test_empty(good, monkeypatch):
    parse_config(good, monkeypatch, "")


@refused("truncated", "error: the config does not run: IndentationError: … (c.py, line 2)")
def test_truncated(good, monkeypatch):
    parse_config(good, monkeypatch, CONFIG[:47])


@refused("another kind of file", "error: the config does not run: SyntaxError: …")
def test_another_kind_of_file(good, monkeypatch):
    parse_config(good, monkeypatch, good.bytes("m.weights"))


@refused("not UTF-8", "error: the config does not run: SyntaxError: (unicode error) … (c.py, line 1)")
def test_not_utf8(good, monkeypatch):
    parse_config(good, monkeypatch, "x = 'café'\n".encode("latin-1"))


@refused("a mistake in it", "error: the config does not run: NameError: name 'setting' is not defined")
def test_a_mistake_in_it(good, monkeypatch):
    parse_config(good, monkeypatch, CONFIG.replace("settings.default", "setting.default"))


@refused("an unknown field", 'error: …Did you mean "amount" instead of "amout"?…')
def test_an_unknown_field(good, monkeypatch):
    parse_config(good, monkeypatch, CONFIG, "--config.prune.amout=8")


@refused("a negative batch", "error: train.batch_size -8, expected at least 1")
def test_a_negative_batch(good, monkeypatch):
    settings.read(parse_config(good, monkeypatch, CONFIG, "--config.train.batch_size=-8"))


@refused("an amount in percent", "error: prune.amount 40.0, expected from 0 to below 1")
def test_an_amount_in_percent(good, monkeypatch):
    settings.read(parse_config(good, monkeypatch, CONFIG, "--config.prune.amount=40"))


@refused("an unknown method", "error: prune.method 'filters', expected 'filter' or 'weight'")
def test_an_unknown_method(good, monkeypatch):
    settings.read(parse_config(good, monkeypatch, CONFIG, "--config.prune.method=filters"))


@refused("without sections", "error: the config has no section 'batch_size'; it has model, data, …")
def test_without_sections(good, monkeypatch):
    flat = "import ml_collections\ndef get_config():\n    return ml_collections.ConfigDict({'batch_size': 4})\n"
    settings.read(parse_config(good, monkeypatch, flat))
