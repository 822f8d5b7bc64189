import dataclasses
import json
import re

import ml_collections
import pytest

from yolojax import settings, training
from yolojax.settings import Settings


def test_a_config_and_back():
    config = settings.default_config()
    assert settings.read(config) == Settings()
    config.train.steps, config.train.learning_rate, config.prune.exclude = 300, 1, ("conv_00",)
    found = settings.read(config)
    assert (found.train.steps, found.train.learning_rate, found.prune.exclude) == (300, 1.0, ("conv_00",))
    assert isinstance(found.train.learning_rate, float)
    assert settings.read(ml_collections.ConfigDict(found.to_json())) == found
    assert hash(found) != hash(Settings())


def test_every_field_says_what_it_is():
    config = settings.default_config()
    lines = list(settings.describe_fields(config))
    assert len(lines) == sum(len(section) for section in config.values())
    assert "--config.train.decay=0.0005  weight decay, on kernels only (at least 0)" in lines
    config.train.decay = 0.1
    assert any("train.decay=0.1 " in line for line in settings.describe_fields(config))


@pytest.mark.parametrize(
    ("section", "fields", "message"),
    [
        ("train", {"steps": -1}, "train.steps -1, expected at least 0"),
        ("train", {"steps": 1.5}, "train.steps 1.5, expected an integer"),
        ("train", {"steps": True}, "train.steps True, expected an integer"),
        ("train", {"sizes": (32, "a")}, "train.sizes (32, 'a'), expected a tuple, each an integer"),
        ("train", {"momentum": 1.5}, "train.momentum 1.5, expected 0..1"),
        ("train", {"flip": 1}, "train.flip 1, expected True or False"),
        ("train", {"optimizer": "lion"}, "train.optimizer 'lion', expected 'sgd' or 'adam'"),
        ("prune", {"amount": 1}, "prune.amount 1.0, expected from 0 to below 1"),
        (
            "prune",
            {"method": "weight", "criterion": "l1"},
            "'l1', expected one of magnitude, weight_lamp, weight_random for weights",
        ),
        ("prune", {"amout": 0.2}, "the config has no field prune.amout; did you mean amount?"),
    ],
)
def test_values_that_make_no_sense(section, fields, message):
    with pytest.raises(ValueError) as error:  # noqa: PT011  compared below
        Settings().replace(**{section: fields})
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("field", "registry"),
    [("loss", training.LOSSES), ("optimizer", training.OPTIMIZERS), ("schedule", training.SCHEDULES)],
)
def test_what_is_registered_later_is_a_choice(field, registry, monkeypatch):
    with pytest.raises(ValueError, match=f"train.{field} 'mine', expected '"):
        Settings().replace(train={field: "mine"})
    monkeypatch.setitem(registry, "mine", next(iter(registry.values())))
    assert getattr(Settings().replace(train={field: "mine"}).train, field) == "mine"
    assert any(f"train.{field}=" in line and "or 'mine')" in line for line in settings.describe_fields())


def test_a_config_of_another_shape():
    with pytest.raises(ValueError, match="the config has no section 'steps'; it has model, data"):
        settings.read(ml_collections.ConfigDict({"steps": 3}))
    with pytest.raises(ValueError, match="train 3, expected a section with fields"):
        settings.read(ml_collections.ConfigDict({"train": 3}))


def test_what_may_change_between_two_starts_of_a_run():
    first = Settings()
    second = first.replace(train={"steps": 9, "decay": 0.1}, data={"threads": 8}, prune={"amount": 0.1})
    old, new = json.loads(json.dumps(first.to_json())), second.to_json()
    assert settings.difference(old, new, ("data", "train")) == ["train.decay 0.0005 is now 0.1"]
    assert settings.difference(old, new, ("prune",)) == ["prune.amount 0.4 is now 0.1"]
    assert settings.difference({}, new, ("prune",)) == ["prune.amount 0.4 is now 0.1"]  # a run from before the section


def test_settings_are_values():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().train.steps = 3


def test_overrides_as_on_a_command_line():
    text = "prune.budget=macs=16%  train.learning_rate=1 train.steps=40 prune.repair=true prune.exclude=('a','b')"
    assert settings.parse_overrides(f"{text} model.cfg=") == {
        "prune": {"budget": "macs=16%", "repair": True, "exclude": ("a", "b")},
        "train": {"learning_rate": 1.0, "steps": 40},
        "model": {"cfg": ""},
    }
    assert settings.parse_overrides(" ") == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prune.repair=1", "prune.repair '1', expected True or False"),
        ("prune.repair=yes", "prune.repair 'yes', expected True or False"),
        ("train.steps=1.5", "train.steps '1.5', expected an integer"),
        ("train.sizes=32", "train.sizes '32', expected a tuple, each an integer"),
        ("train.decay=f(x)", "train.decay 'f(x)', expected a number"),
        ("train.decay=", "train.decay '', expected a number"),
        ("prune.amout=0.1", "the config has no field prune.amout; did you mean amount?"),
        ("steps=3", "'steps=3', expected SECTION.FIELD=VALUE with a section of model, data, train, eval, prune, study"),
        ("optimiser.steps=3", "'optimiser.steps=3', expected SECTION.FIELD=VALUE with a section of model, "),
        ("train.steps=3 train.steps=4", "train.steps comes twice"),
    ],
)
def test_overrides_that_are_wrong(text, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        settings.parse_overrides(text)
