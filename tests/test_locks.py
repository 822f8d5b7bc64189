"""requirements/: the locked versions satisfy pyproject.toml, for every Python that it names."""

import pathlib
import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = pathlib.Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
MACHINES = ["x86_64", "aarch64"]


def required(extra: str) -> list[Requirement]:
    """What an extra asks for, in other extras too."""
    found = []
    for requirement in map(Requirement, PROJECT["optional-dependencies"][extra]):
        if requirement.name == PROJECT["name"]:
            found += [inner for name in requirement.extras for inner in required(name)]
        else:
            found.append(requirement)
    return found


def locked(path: pathlib.Path) -> list[Requirement]:
    """The lines of a lock file, which are requirements and comments alone: no option, no URL, no path."""
    return [Requirement(line) for line in path.read_text().splitlines() if not line.lstrip().startswith("#")]


def on(requirements: list[Requirement], minor: str, machine: str) -> list[Requirement]:
    """Those that count on Linux with that Python and processor."""
    environment = {
        "python_version": minor,
        "python_full_version": f"{minor}.0",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "platform_machine": machine,
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }
    return [r for r in requirements if r.marker is None or r.marker.evaluate(environment)]


def test_every_python_has_a_lock():
    named = {name.rpartition(" ")[2] for name in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", name)}
    assert named
    assert {path.stem for path in LOCKS} == named, "run scripts/lock.sh"


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.stem)
def test_a_line_is_one_exact_version(path):
    for requirement in locked(path):
        assert requirement.url is None, requirement
        assert [(s.operator, "*" in s.version) for s in requirement.specifier] == [("==", False)], requirement


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.stem)
def test_a_lock_satisfies_the_ranges(path, machine):
    pins: dict[str, str] = {}
    for requirement in on(locked(path), path.stem, machine):
        name, (specifier,) = canonicalize_name(requirement.name), requirement.specifier
        assert name not in pins, f"{name} is there twice"
        pins[name] = specifier.version
    ranges = [Requirement(text) for text in PROJECT["dependencies"]] + required("dev")
    for requirement in on(ranges, path.stem, machine):
        version = pins.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement} is missing; run scripts/lock.sh"
        assert version in requirement.specifier, f"{requirement} is locked at {version}; run scripts/lock.sh"
