"""How a field of a config is declared: once, with its default, a comment and what values make sense."""

import ast
import dataclasses
import difflib
import math
import typing
from collections.abc import Collection, Iterator, Mapping
from typing import ClassVar, TypeVar

KEY = "option"
T = TypeVar("T")
S = TypeVar("S", bound="Section")


@dataclasses.dataclass(frozen=True)
class Option:
    """What is known of a field besides its default.

    `comment` says what it is; a value lies in `least`..`most` (below `most` if `open`), or is one of `choices`, which
    may be a registry: what is registered later counts too. `free` fields may change when a run is resumed.
    """

    comment: str
    least: float = -math.inf
    most: float = math.inf
    open: bool = False
    choices: Collection[str] = ()
    free: bool = False

    @property
    def expected(self) -> str:
        """What values make sense, in words; "" for any."""
        if self.choices:
            return " or ".join(repr(choice) for choice in self.choices)
        if math.isfinite(self.most):
            return f"from {self.least:g} to below {self.most:g}" if self.open else f"{self.least:g}..{self.most:g}"
        return f"at least {self.least:g}" if math.isfinite(self.least) else ""

    def allows(self, value: object) -> bool:
        """Whether the value makes sense; a NaN does not."""
        if self.choices:
            return value in self.choices
        if isinstance(value, int | float) and not isinstance(value, bool):
            return self.least <= value < self.most if self.open else self.least <= value <= self.most
        return True


def option(
    default: T,
    comment: str,
    *,
    least: float = -math.inf,
    most: float = math.inf,
    open: bool = False,
    choices: Collection[str] = (),
    free: bool = False,
) -> T:
    """A dataclass field with a default; the rest is as in `Option`."""
    return dataclasses.field(default=default, metadata={KEY: Option(comment, least, most, open, choices, free)})


@dataclasses.dataclass(frozen=True)
class Section:
    """The base of the dataclasses whose fields are options; `name` is the section's name in a config."""

    name: ClassVar[str]

    def __post_init__(self) -> None:
        kinds = typing.get_type_hints(type(self))
        for key, option in options(type(self)).items():
            value, where, kind = getattr(self, key), f"{self.name}.{key}", kinds[key]
            if not _is_of_kind(value, kind):
                raise ValueError(f"{where} {value!r}, expected {_kind_name(kind)}")
            if not option.allows(value):
                raise ValueError(f"{where} {value!r}, expected {option.expected}")


def options(section: type[Section]) -> dict[str, Option]:
    """{field: its option}, in the order of the declaration."""
    return {field.name: field.metadata[KEY] for field in dataclasses.fields(section)}


def parse(section: type[Section], key: str, text: str) -> object:
    """The value that `text`, as on a command line, gives the field `key`. Raises ValueError for another kind of value.

    Texts need no quotes; True and False are as Python writes them or in lower case, tuples as Python writes them.
    """
    if key not in options(section):
        raise ValueError(f"the config has no field {section.name}.{key}; {_similar(key, section)}")
    kind = typing.get_type_hints(section)[key]
    if kind is str:
        return text
    try:
        value = ast.literal_eval({"true": "True", "false": "False"}.get(text, text))
    except (ValueError, SyntaxError):
        value = text
    value = _converted(value, kind)
    if not _is_of_kind(value, kind):
        raise ValueError(f"{section.name}.{key} {text!r}, expected {_kind_name(kind)}")
    return value


def make(section: type[S], values: Mapping[str, object]) -> S:
    """The section with these values. Raises ValueError for a value that makes no sense and for an unknown field."""
    if unknown := sorted(values.keys() - options(section).keys()):
        raise ValueError(f"the config has no field {section.name}.{unknown[0]}; {_similar(unknown[0], section)}")
    hints = typing.get_type_hints(section)
    return section(**{key: _converted(value, hints[key]) for key, value in values.items()})


def describe(section: type[Section]) -> Iterator[tuple[str, object, str]]:
    """For each field: section.field, its default, and its comment with what values make sense."""
    for field in dataclasses.fields(section):
        option = field.metadata[KEY]
        expected = f" ({option.expected})" if option.expected else ""
        yield f"{section.name}.{field.name}", field.default, option.comment + expected


def _converted(value: object, kind: type) -> object:
    """A list of a config is a tuple here, and an integer may stand for a float."""
    if typing.get_origin(kind) is tuple and isinstance(value, list | tuple):
        return tuple(_converted(item, typing.get_args(kind)[0]) for item in value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value


def _is_of_kind(value: object, kind: type) -> bool:
    if typing.get_origin(kind) is tuple:
        return isinstance(value, tuple) and all(_is_of_kind(item, typing.get_args(kind)[0]) for item in value)
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def _kind_name(kind: type) -> str:
    if typing.get_origin(kind) is tuple:
        return f"a tuple, each {_kind_name(typing.get_args(kind)[0])}"
    return {str: "text", int: "an integer", float: "a number", bool: "True or False"}[kind]


def _similar(key: str, section: type[Section]) -> str:
    close = difflib.get_close_matches(key, options(section), n=1)
    return f"did you mean {close[0]}?" if close else f"the section has {', '.join(options(section))}"
