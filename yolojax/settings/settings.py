"""All sections together: from a config, into one, into JSON, and from one run's to another's."""

import dataclasses
import json
from collections.abc import Iterator, Mapping

import ml_collections

from yolojax.settings.declaration import Section, describe, make, options, parse
from yolojax.settings.sections import (
    DataSettings,
    EvalSettings,
    ModelSettings,
    PruneSettings,
    StudySettings,
    TrainSettings,
)

SECTIONS: tuple[type[Section], ...] = (
    ModelSettings,
    DataSettings,
    TrainSettings,
    EvalSettings,
    PruneSettings,
    StudySettings,
)
Json = dict[str, dict[str, object]]


@dataclasses.dataclass(frozen=True)
class Settings:
    """What a config tells a command, checked. Every config has all sections; a command uses those it needs."""

    model: ModelSettings = dataclasses.field(default_factory=ModelSettings)
    data: DataSettings = dataclasses.field(default_factory=DataSettings)
    train: TrainSettings = dataclasses.field(default_factory=TrainSettings)
    eval: EvalSettings = dataclasses.field(default_factory=EvalSettings)
    prune: PruneSettings = dataclasses.field(default_factory=PruneSettings)
    study: StudySettings = dataclasses.field(default_factory=StudySettings)

    def replace(self, **sections: Mapping[str, object]) -> "Settings":
        """With other values in some sections: `settings.replace(train={"steps": 300})`. Raises ValueError."""
        changed = {}
        for name, values in sections.items():
            section = getattr(self, name)
            changed[name] = make(type(section), dataclasses.asdict(section) | dict(values))
        return dataclasses.replace(self, **changed)

    def to_json(self) -> Json:
        """{section: {field: JSON value}}."""
        found: Json = json.loads(json.dumps(dataclasses.asdict(self)))
        return found


def read(config: ml_collections.ConfigDict) -> Settings:
    """The settings in a config. Raises ValueError for a value that makes no sense, and for a field that is unknown."""
    known = [section.name for section in SECTIONS]
    if unknown := sorted(set(config.keys()) - set(known)):
        raise ValueError(f"the config has no section {unknown[0]!r}; it has {', '.join(known)}")
    return Settings().replace(**{name: _values(config[name], name) for name in config})


def parse_overrides(text: str) -> dict[str, dict[str, object]]:
    """{section: {field: value}} from SECTION.FIELD=VALUE, as on a command line, with spaces between them.

    Raises ValueError for a field that is unknown or comes twice, and for a value of another kind than the field's.
    """
    known = {section.name: section for section in SECTIONS}
    found: dict[str, dict[str, object]] = {}
    for part in text.split():
        where, equals, value = part.partition("=")
        name, dot, key = where.partition(".")
        if not (equals and dot and name in known):
            raise ValueError(f"{part!r}, expected SECTION.FIELD=VALUE with a section of {', '.join(known)}")
        if key in found.get(name, {}):
            raise ValueError(f"{where} comes twice")
        found.setdefault(name, {})[key] = parse(known[name], key, value)
    return found


def _values(section: object, name: str) -> dict[str, object]:
    if not isinstance(section, Mapping | ml_collections.ConfigDict):
        raise ValueError(f"{name} {section!r}, expected a section with fields, as in config.{name}.FIELD")
    return dict(section.items())


def default_config() -> ml_collections.ConfigDict:
    """A config with every field at its default, for a config file to change."""
    return ml_collections.ConfigDict(dataclasses.asdict(Settings()))


def describe_fields(config: ml_collections.ConfigDict | None = None) -> Iterator[str]:
    """A line for each field: its name as a flag, its value in `config` or its default, and what it is."""
    for section in SECTIONS:
        for name, default, comment in describe(section):
            where, key = name.split(".")
            value = default if config is None else config[where][key]
            yield f"--config.{name}={value!r}  {comment}"


def difference(old: Json, new: Json, sections: tuple[str, ...]) -> list[str]:
    """What differs in these sections and may not, as `train.decay 0.1 is now 0.2`."""
    found = []
    for section in SECTIONS:
        if section.name not in sections:
            continue
        before, after = old.get(section.name, {}), new.get(section.name, {})
        about = options(section)
        defaults = Settings().to_json()[section.name]
        for key in sorted(before.keys() | after.keys()):
            was, now = before.get(key, defaults.get(key)), after.get(key)  # a run from before a field had its default
            if (key not in about or not about[key].free) and was != now:
                found.append(f"{section.name}.{key} {was!r} is now {now!r}")
    return found
