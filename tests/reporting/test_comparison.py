import json
import pathlib
import re
import subprocess
import sys

import pytest

from tests.browser import opened
from tests.reporting.conftest import stage
from yolojax import training
from yolojax.reporting import comparison, entries

ROOT = pathlib.Path(__file__).parents[2]
LAMP = {"budget": "macs=25%", "floor": 0.2, "repair": True, "exclude": ("conv_00", "conv_02")}


@pytest.fixture
def runs(make_run):
    """Three ways to a smaller network, one of them worse in all, and the unpruned network trained on."""
    return [
        make_run("lamp", {"repaired": stage(1e9, 0.4), "retrained": stage(1e9, 0.72)}, prune=LAMP),
        make_run("half", {"retrained": stage(2e9, 0.5)}, prune={"amount": 0.5}, train={"steps": 10, "seed": 3}),
        make_run("weights", {"retrained": stage(4e9, 0.7, nonzero=90)}, prune={"method": "weight", "amount": 0.75}),
        make_run("control", {"retrained": stage(4e9, 0.9)}, prune={"method": "weight", "amount": 0.0}),
    ]


def cells(page):
    """{run: {column: cell}} of the first table of a page."""
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines() if line.startswith("|")]
    return {row[0].strip("*"): dict(zip(lines[0], row, strict=True)) for row in lines[2:]}


def test_the_table(runs, tmp_path):
    text = comparison.compare(runs, tmp_path / "out")
    page = (tmp_path / "out" / "compare.md").read_text()
    found = cells(page)
    assert list(found) == ["control", "unpruned", "weights", "half", "lamp"]
    lamp = found["lamp"]
    assert lamp["what was done"] == "filters to macs=25%, lamp, floor=0.2, repair, exclude=conv_00+conv_02, seed=0"
    assert (lamp["mAP (11-point)"], lamp["of unpruned"]) == ("0.7200", "90.0%")
    assert (lamp["MACs"], lamp["of MACs"], lamp["best for"]) == ("1.000 G", "25.0%", "MACs, bytes")
    assert (lamp["parameters"], lamp["not 0"], lamp["steps"], lamp["seconds"]) == ("1,000", "900", "10", "9")
    assert found["half"]["what was done"] == "50% of filters, mean_square, seed=3"
    assert found["half"]["best for"] == "-"
    assert found["weights"]["what was done"] == "75% of weights, magnitude, seed=0"
    assert found["control"]["what was done"] == "nothing pruned, seed=0"
    assert [line.split("  ")[0] for line in text.splitlines()[4:9]] == list(found)
    assert "Shares are of unpruned, mAP 0.8000" in text


def test_without_labels_it_is_agreement(make_run, tmp_path):
    run, protocol = make_run("half", {"repaired": stage(1e9, 0.78)}), training.Protocol(32, agreement=True)
    report = json.loads((run / "report.json").read_text())
    for found in report["stages"].values():
        found["evaluation"]["protocol_text"] = str(protocol)
    (run / "report.json").write_text(json.dumps(report))
    text = comparison.compare([run], tmp_path / "out")
    page = (tmp_path / "out" / "compare.md").read_text()
    assert cells(page)["half (repaired)"]["agreement (11-point)"] == "0.7800"
    assert "agreement against MACs" in page
    assert "mAP" not in page + text


def test_shares_of_a_baseline(runs, tmp_path):
    comparison.compare(runs[:2], tmp_path / "out", baseline=str(runs[3]))
    page = (tmp_path / "out" / "compare.md").read_text()
    assert cells(page)["lamp"]["of control"] == "80.0%"
    assert list(cells(page)) == ["control", "half", "lamp"]
    assert "Shares are of control, mAP 0.9000" in page


def test_more_map_after_more_steps_asks_for_a_control_of_as_many(make_run, runs, tmp_path):
    better = make_run("better", {"retrained": stage(1e9, 0.85)}, prune=LAMP)
    few = make_run("few", {"retrained": stage(4e9, 0.8)}, prune={"method": "weight", "amount": 0.0}, train={"steps": 4})
    asks = "Over 100% there may be steps that {} lacks: a run that drops nothing, `.* train.steps=10`, tells"
    for runs_of_it, baseline, name in (
        ([*runs, better], "", "unpruned"),
        ([better], str(few), "few"),
        ([better], str(runs[3]), None),  # as many steps, and more mAP
        (runs, "", None),  # only what drops nothing is better
    ):
        comparison.compare(runs_of_it, tmp_path / "out", baseline=baseline)
        page = (tmp_path / "out" / "compare.md").read_text()
        assert bool(re.search(asks.format(name or ".*"), page)) == bool(name)


def test_all_stages(runs, tmp_path):
    comparison.compare(runs[:1], tmp_path / "out", stages=True)
    found = cells((tmp_path / "out" / "compare.md").read_text())
    assert list(found) == ["unpruned", "lamp", "lamp (repaired)"]
    assert found["lamp (repaired)"]["steps"] == "0"


def test_the_page_needs_no_other_file(runs, tmp_path):
    comparison.compare(runs, tmp_path / "out")
    page = (tmp_path / "out" / "compare.html").read_text()
    sources = re.findall(r'src="([^"]*)"', page)
    assert [source[:26] for source in sources] == ["data:image/svg+xml;base64,"]
    content = json.loads((tmp_path / "out" / "compare.json").read_text())
    assert [entry["name"] for entry in content] == ["lamp", "half", "weights", "control"]
    assert content[0]["unpruned"]["map_11point"] == 0.8


@pytest.mark.slow
@pytest.mark.parametrize(("width", "dark"), [(1280, True), (390, False)])
def test_the_page_opens_in_a_browser(browser, runs, tmp_path, width, dark):
    comparison.compare(runs, tmp_path)
    with opened(browser, tmp_path / "compare.html", width=width, dark=dark) as seen:
        assert seen.inner_text("h2 + p").startswith("None keeps 95% of the mAP; the nearest: lamp, 25% of the MACs")
        assert seen.locator("tr:has(strong)").all_inner_texts()[-1].startswith("lamp")


@pytest.mark.parametrize(
    ("maps", "expected"),
    [
        ((0.77, 0.79, 0.5), "**The fewest MACs at 95% of the mAP or more: b, 50% of the MACs and 96.2% of the mAP.**"),
        ((0.5, 0.6, 0.1), "**None keeps 95% of the mAP; the nearest: a, 75% of the MACs and 75.0% of the mAP.**"),
    ],
)
def test_the_verdict(make_run, maps, expected):
    costs = {"b": 2e9, "a": 3e9, "c": 1e9}
    folders = [
        make_run(name, {"retrained": stage(cost, found)})
        for (name, cost), found in zip(costs.items(), maps, strict=True)
    ]
    found = entries.read_runs(folders)
    assert comparison.verdict(found)[0] == expected
    assert comparison.verdict([found[0].unpruned]) == []


def test_the_short_table_fits_on_a_terminal(runs):
    found = comparison.in_order(comparison.with_unpruned(entries.read_runs(runs)))
    lines = comparison.short_table(found)
    assert lines[0].split()[:3] == ["run", "mAP", "(11-point)"]
    assert max(map(len, lines)) <= 110


@pytest.mark.parametrize("other", [{"data": "bccd test (2 images)"}, {"size": 64}])
def test_other_data_and_protocols_are_kept_apart(runs, make_run, tmp_path, other):
    runs.append(make_run("other", {"retrained": stage(1e9, 0.99, size=other.get("size", 32))}, **other))
    comparison.compare(runs, tmp_path / "out")
    page = (tmp_path / "out" / "compare.md").read_text()
    assert page.count("\n## ") == 2
    assert (tmp_path / "out" / "pareto2.svg").exists()
    assert cells(page.split("\n## ")[1])["lamp"]["best for"] == "MACs, bytes"
    assert list(cells(page.split("\n## ")[2])) == ["unpruned", "other"]
    with pytest.raises(ValueError, match=r"baseline other was measured on .*; lamp on shapes"):
        comparison.compare(runs, tmp_path / "out", baseline=str(runs[-1]))


def test_fields_of_other_versions(make_run):
    (entry,) = entries.read_run(make_run("r", {"retrained": stage(1e9, 0.6)}))
    prune = {**entry.config["prune"], "rounds": 3}
    del prune["floor"]
    entry.config["prune"] = prune
    assert comparison.how(entry) == "40% of filters, mean_square, rounds=3"


def test_fields_of_the_training_that_differ():
    sections = [{"steps": 1, "learning_rate": 0.1}, {"steps": 2, "learning_rate": 0.2}, {"learning_rate": 0.1}]
    assert comparison.differing(sections) == ["learning_rate"]
    assert comparison.differing([{}, {"jitter": 0.2}]) == []  # the default


def test_the_command(runs, tmp_path):
    def run(*arguments):
        command = [sys.executable, "-m", "yolojax.compare", *map(str, arguments)]
        return subprocess.run(command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)

    (tmp_path / "started").mkdir()
    (tmp_path / "started" / "config.json").write_text("{}")
    done = run(*runs, "started")
    assert done.returncode == 0, done.stderr
    assert "lamp" in done.stdout
    assert "see runs/compare/compare.html" in done.stdout
    assert "skipped started: not finished" in done.stderr
    for arguments, message in (((), "error: no runs given; "), (("runs/compare/x",), "error: runs/compare/x: no such")):
        failed = run(*arguments)
        assert failed.returncode == 2
        assert failed.stderr.strip().splitlines()[-1].startswith(message)
