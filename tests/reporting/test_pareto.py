import dataclasses
import itertools

import numpy as np
import pytest

from yolojax.reporting import pareto
from yolojax.reporting.entries import Entry


def entry(map_11point, macs, compressed=None, stage="retrained"):
    return Entry("r", stage, "data", "protocol", map_11point, 0.0, macs, 1, 1, 2 * macs, compressed)


def test_dominated_against_plain_loops():
    rng = np.random.default_rng(0)
    for _ in range(50):
        found = [entry(m / 10, int(c)) for m, c in rng.integers(1, 8, (6, 2))]
        expected = [False] * len(found)
        for i, j in itertools.permutations(range(len(found)), 2):
            a, b = found[i], found[j]
            if b.map_11point > a.map_11point and b.macs <= a.macs:
                expected[i] = True
            if b.map_11point == a.map_11point and b.macs < a.macs:
                expected[i] = True
        assert pareto.dominated(found, lambda e: e.macs) == tuple(expected)


def test_equal_ones_are_all_on_the_front():
    assert pareto.dominated([entry(0.5, 3), entry(0.5, 3), entry(0.4, 3)], lambda e: e.macs) == (False, False, True)


def test_bytes_are_of_one_kind_for_all():
    _, compressed = pareto.costs([entry(0.5, 3, 7), entry(0.5, 3, 8)])
    assert (compressed.axis, compressed.of(entry(0.5, 3, 7))) == ("compressed MB", 7)
    _, dense = pareto.costs([entry(0.5, 3, 7), entry(0.5, 3)])
    assert (dense.axis, dense.of(entry(0.5, 3, 7))) == (".weights MB", 6)


def test_the_figure_greys_what_is_dominated(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(pareto, "save", lambda figure, path: drawn.append(figure))
    pareto.figure([entry(0.8, 4, 4), entry(0.3, 3, 1), entry(0.6, 2, 2)], tmp_path / "x.png")
    macs, size = drawn[0].axes
    assert (macs.get_xscale(), size.get_xscale()) == ("log", "log")
    assert [text.get_color() for text in macs.texts] == ["black", "grey", "black"]
    assert [text.get_color() for text in size.texts] == ["black"] * 3
    np.testing.assert_allclose(macs.lines[-1].get_xydata(), [[2e-9, 0.6], [4e-9, 0.8]])
    grey = [line for line in macs.lines if line.get_color() == "grey"]
    assert [line.get_ydata()[0] for line in grey] == [pytest.approx(0.3)]


def test_labels_cover_neither_each_other_nor_a_point(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(pareto, "save", lambda figure, path: drawn.append(figure))
    near = [entry(0.5 + 0.002 * number, 1000 + number, 10) for number in range(5)]
    pareto.figure([*near, entry(0.6, 1500, 20), entry(0.4, 700, 5)], tmp_path / "x.png")
    (figure,) = drawn
    figure.draw_without_rendering()
    for axes in figure.axes:
        extents = [text.get_window_extent() for text in axes.texts]
        assert not any(a.overlaps(b) for a, b in itertools.combinations(extents, 2))
        points = [axes.transData.transform(text.xy) for text in axes.texts]
        assert not any(extent.contains(*point) for extent in extents for point in points)


@pytest.mark.parametrize(("stage", "label"), [("retrained", "r"), ("original", "r"), ("repaired", "r (repaired)")])
def test_labels(stage, label):
    assert pareto.label(entry(0.5, 1, stage=stage)) == label


def test_milliseconds_are_a_cost_where_all_were_timed_alike():
    def timed(milliseconds, where):
        return dataclasses.replace(entry(0.5, 3), milliseconds=milliseconds, where=where)

    *_, speed = pareto.costs([timed(2.0, "A"), timed(3.0, "A")])
    assert (speed.name, speed.axis, speed.of(timed(3.0, "A"))) == ("ms", "ms, A", 3.0)
    assert len(pareto.costs([timed(2.0, "A"), timed(3.0, "B")])) == 2
    assert len(pareto.costs([timed(2.0, "A"), entry(0.5, 3)])) == 2
