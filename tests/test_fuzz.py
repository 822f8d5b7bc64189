"""Whole files, damaged at random: nothing but our own errors comes out of the readers."""

import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz_targets import TARGETS, check

MAX_MEGABYTES = 64
EXAMPLES = 200  # scripts/fuzz.py tries millions


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


def edits(words):
    """One damage: what goes (a share of the file), where, and what comes in its place."""
    content = st.binary(max_size=8)
    if words:
        content = content | st.sampled_from(words)
    place = st.floats(0, 1)
    return st.tuples(place, st.sampled_from((0, 0, 1, 4, 1000)), content, st.sampled_from((1, 1, 2, 300)))


def damaged(data, changes):
    for place, cut, content, times in changes:
        at = round(place * len(data))
        data = data[:at] + content * times + data[at + cut :]
    return data


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_but_our_own_errors_comes_out(name, folder):
    target = TARGETS[name]
    if name == "compressed":
        pytest.importorskip("constriction")
    seeds = target.seeds(folder)
    for seed in seeds:
        assert check(target, seed, folder)

    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(seeds), st.lists(edits(target.words), max_size=4))
    def damage(seed, changes):
        check(target, damaged(seed, changes), folder)

    tracemalloc.start()
    damage()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < MAX_MEGABYTES << 20
