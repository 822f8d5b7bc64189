"""The text level of a `.cfg`: sections, their options, and errors that say where.

As Darknet's `read_cfg`: spaces mean nothing anywhere, lines that start with `#` or `;` are comments. Beyond Darknet, a
comment may also follow an option.
"""

import dataclasses
import math
import re
from typing import NamedTuple

MAX_BYTES = 1 << 20
MAX_INTEGER = 2**31 - 1
INTEGER = re.compile(r"[+-]?[0-9]{1,10}")
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")


class CfgError(ValueError):
    """A `.cfg` that cannot be read; the message is one line, `file:line: what, expected`."""


class Option(NamedTuple):
    """The text after `=`, and its line, counted from 1."""

    value: str
    line: int


@dataclasses.dataclass
class Section:
    """One `[name]` with its options in order. The `take_*` methods remove what they return."""

    source: str
    name: str
    line: int
    options: dict[str, Option] = dataclasses.field(default_factory=dict)

    def error(self, message: str, line: int | None = None) -> CfgError:
        """The error at `line`, or at the section's own."""
        return CfgError(f"{self.source}:{line or self.line}: {message}")

    def take_integer(self, key: str, default: int | None = None) -> int:
        """An integer; without a default, CfgError when it is missing."""
        if default is not None and key not in self.options:
            return default
        option = self._required(key)
        return self._integer(key, option.value, option.line)

    def take_flag(self, key: str) -> bool:
        """0 or 1; False when missing."""
        option = self.options.pop(key, None)
        if option is not None and option.value not in ("0", "1"):
            raise self.error(f"{key}={shown(option.value)}, expected 0 or 1", option.line)
        return option is not None and option.value == "1"

    def take_number(self, key: str, default: float) -> float:
        """A finite number."""
        option = self.options.pop(key, None)
        return default if option is None else self._number(key, option.value, option.line)

    def take_integers(self, key: str) -> tuple[int, ...]:
        """A list of integers between commas; CfgError when it is missing."""
        option = self._required(key)
        return tuple(self._integer(key, item, option.line) for item in option.value.split(","))

    def take_numbers(self, key: str) -> tuple[float, ...]:
        """A list of finite numbers between commas; CfgError when it is missing."""
        option = self._required(key)
        return tuple(self._number(key, item, option.line) for item in option.value.split(","))

    def take_choice(self, key: str, choices: tuple[str, ...], default: str) -> str:
        """One of `choices`; `default` is what Darknet takes when it is missing, and may be outside them."""
        option = self.options.pop(key, Option(default, self.line))
        if option.value not in choices:
            raise self.error(f"{key}={shown(option.value)}, expected one of {', '.join(choices)}", option.line)
        return option.value

    def take_only(self, key: str, supported: int, default: int) -> None:
        """Removes an option that is supported with one value alone; `default` is Darknet's."""
        option = self.options.pop(key, None)
        found = default if option is None else self._integer(key, option.value, option.line)
        if found != supported:
            given = "" if option else " (Darknet's default)"
            raise self.error(
                f"{key}={found}{given} is not supported in [{self.name}], expected {supported}",
                option.line if option else None,
            )

    def _required(self, key: str) -> Option:
        if key not in self.options:
            raise self.error(f"[{self.name}] has no {key}, expected {key}=...")
        return self.options.pop(key)

    def _integer(self, key: str, text: str, line: int) -> int:
        if not INTEGER.fullmatch(text) or abs(int(text)) > MAX_INTEGER:
            raise self.error(f"{key}={shown(text)}, expected an integer of at most {MAX_INTEGER}", line)
        return int(text)

    def _number(self, key: str, text: str, line: int) -> float:
        if not NUMBER.fullmatch(text) or not math.isfinite(float(text)):
            raise self.error(f"{key}={shown(text)}, expected a finite number", line)
        return float(text)


def parse_sections(text: str, source: str) -> list[Section]:
    """The sections of a `.cfg` in order, with lines and option order kept. Raises CfgError."""
    if len(text) > MAX_BYTES:
        raise CfgError(f"{source}:1: {len(text)} characters, expected a .cfg of at most {MAX_BYTES}")
    sections: list[Section] = []
    for number, raw in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
        line = "".join(re.split(r"[#;]", raw, maxsplit=1)[0].split())
        if not line:
            continue
        if line.startswith("["):
            if not line.endswith("]"):
                raise CfgError(f"{source}:{number}: {shown(line)!r}, expected [section]")
            sections.append(Section(source, line[1:-1], number))
            continue
        key, equals, value = line.partition("=")
        if not key or not equals or not line.isprintable():
            raise CfgError(f"{source}:{number}: {shown(line)!r}, expected [section] or option=value")
        if not sections:
            raise CfgError(f"{source}:{number}: option {shown(key)} before any section, expected [net]")
        _add(sections[-1], key, Option(value, number))
    return sections


def _add(section: Section, key: str, option: Option) -> None:
    # Darknet silently takes the first of two; with different values one of them is a mistake.
    first = section.options.setdefault(key, option)
    if first.value != option.value:
        raise section.error(
            f"{shown(key)}={shown(option.value)}, but it was {shown(first.value)} on line {first.line}", option.line
        )


def shown(text: str) -> str:
    """`text` cut to a length that leaves a message readable."""
    return text if len(text) <= 40 else text[:37] + "..."
