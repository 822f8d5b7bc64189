import json
import xml.etree.ElementTree

import pytest
from matplotlib.figure import Figure

from yolojax import pruning
from yolojax.reporting import figures

ROWS = [
    pruning.LayerRow("conv_00", 8, 4, 100, 50, 0.5, 4_000_000, 2_000_000),
    pruning.LayerRow("conv_02", 8, 0, 300, 150, 0.5, 1_000_000, 500_000),
]


@pytest.fixture
def drawn(monkeypatch) -> list[Figure]:
    found: list[Figure] = []
    monkeypatch.setattr(figures, "save", lambda figure, path: found.append(figure))
    return found


def heights(axes):
    return [[round(bar.get_height(), 6) for bar in bars] for bars in axes.containers]


def test_layers_by_macs_milliseconds_and_parameters(drawn, tmp_path):
    seconds = [{"conv_00": 0.003, "conv_02": 0.001, "maxpool_01": 1.0}, {"conv_00": 0.002, "conv_02": 0.001}]
    figures.layers(ROWS, tmp_path / "x.svg", seconds=seconds)
    panels = {axes.get_ylabel(): heights(axes) for axes in drawn[0].axes}
    assert panels == {
        "MACs (M)": [[4, 1], [2, 0.5]],
        "ms": [[3, 1], [2, 1]],
        "parameters (k)": [[0.1, 0.3], [0.05, 0.15]],
    }


def test_layers_of_which_nothing_went_have_one_bar(drawn, tmp_path):
    whole = [row._replace(macs_left=row.macs, nonzeros=row.parameters) for row in ROWS]
    figures.layers(whole, tmp_path / "x.svg")
    assert [len(axes.containers) for axes in drawn[0].axes] == [1, 1]
    assert not drawn[0].legends


@pytest.fixture
def log(tmp_path):
    lines = [
        {"step": 1, "loss": 4.0, "prior": 0.0},
        {"step": 2, "map_11point": 0.3},
        {"step": 2, "loss": 2.0, "prior": 0.0},
    ]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return tmp_path / "metrics.jsonl"


def test_curves_of_loss_and_map(drawn, log, tmp_path):
    figures.curves(log, tmp_path / "x.svg", unpruned=0.8, before=0.1, after=0.5)
    loss, scores = drawn[0].axes
    assert [line.get_xydata().tolist() for line in loss.lines] == [[[1, 4], [2, 2]]]  # a prior of 0 is no curve
    assert scores.lines[0].get_xydata().tolist() == [[0, 0.1], [2, 0.3]]
    assert scores.lines[1].get_ydata() == [0.8, 0.8]


def test_one_map_is_no_curve(drawn, log, tmp_path):
    log.write_text('{"step": 1, "loss": 4.0}\n')
    figures.curves(log, tmp_path / "x.svg", after=0.5)
    assert len(drawn[0].axes) == 1


def test_a_figure_is_the_same_bytes_each_time(tmp_path):
    for name in ("a", "b"):
        figures.layers(ROWS, tmp_path / f"{name}.svg")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    xml.etree.ElementTree.parse(tmp_path / "a.svg")
