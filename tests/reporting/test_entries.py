import json
import logging
import os

import pytest

from tests import helpers
from tests.reporting.conftest import PROTOCOL, stage
from yolojax import network, pruning
from yolojax.reporting import entries
from yolojax.settings import Settings


def test_the_last_network_of_a_pruning_run(make_run):
    log = [
        {"step": 4, "loss": 1.0, "images_per_second": 64.0},
        {"step": 4, "map_11point": 0.1},
        {"step": 10, "loss": 1.0, "images_per_second": 32.0},
    ]
    stages = {"pruned": stage(4e9, 0.1), "repaired": stage(1e9, 0.4), "retrained": stage(1e9, 0.6)}
    folder = make_run("r", stages, log=log)
    (entry,) = entries.read_runs([folder])
    assert (entry.name, entry.stage, entry.map_11point, entry.map_area, entry.macs) == (
        "r",
        "retrained",
        0.6,
        0.61,
        1e9,
    )
    assert (entry.parameters, entry.nonzero, entry.weights_bytes, entry.compressed_bytes) == (1000, 900, 1e7, 5e6)
    assert (entry.data, entry.protocol) == ("shapes test (2 images)", "32x32")
    assert entry.map_share == pytest.approx(0.75)
    assert entry.macs_share == 0.25
    assert (entry.steps, entry.seconds) == (10, 4 * 32 / 64 + 6 * 32 / 32)
    every = entries.read_runs([folder], stages=True)
    assert [(e.stage, e.steps, e.seconds) for e in every[:2]] == [("pruned", 0, 0.0), ("repaired", 0, 0.0)]
    assert every[2] == entry


@pytest.mark.parametrize(
    ("train", "seconds", "expected"),
    [
        ({"steps": 10}, 9.0, (10, 9.0)),
        ({"steps": 10}, None, (10, None)),
        ({"steps": 0, "epochs": 3}, 9.0, (None, 9.0)),
        ({"steps": 0, "epochs": 0}, 0.0, (0, 0.0)),
    ],
)
def test_steps_and_seconds_without_a_log(make_run, train, seconds, expected):
    folder = make_run("r", {"retrained": stage(1e9, 0.6)}, seconds=seconds, train=train)
    (entry,) = entries.read_run(folder)
    assert (entry.steps, entry.seconds) == expected


def test_a_training_run_is_counted_in_its_network(tmp_path):
    folder, architecture = tmp_path / "trained", helpers.small_architecture()
    folder.mkdir()
    helpers.save_network(folder, architecture)
    for suffix in (".cfg", ".weights"):
        (folder / f"m{suffix}").rename(folder / f"model{suffix}")
    config = Settings().replace(data={"source": "shapes"}, train={"steps": 5}).to_json()
    (folder / "config.json").write_text(json.dumps(config))
    result = {"images": 7, "map_11point": 0.5, "map_area": 0.6, "protocol": PROTOCOL, "protocol_text": "text"}
    (folder / "evaluation.json").write_text(json.dumps(result))
    (entry,) = entries.read_runs([folder])
    params = helpers.random_variables(architecture)["params"]
    assert (entry.stage, entry.data, entry.protocol) == ("trained", "shapes test (7 images)", "text")
    assert entry.macs == pruning.macs(architecture, 32, 32)
    assert entry.parameters == sum(leaf.size for leaf in network.leaf_paths(params).values())
    assert entry.weights_bytes == (folder / "model.weights").stat().st_size
    assert (entry.steps, entry.seconds, entry.unpruned, entry.map_share) == (5, None, None, None)
    about = {"eval_set": "2 images held out of shapes", "steps": 5, "config": config | {"data": {}}}
    (folder / "evaluation.json").write_text(json.dumps(result | about))
    (folder / "metrics.jsonl").write_text('{"step": 5, "loss": 1.0, "images_per_second": 8.0}\n')
    (entry,) = entries.read_runs([folder])
    assert (entry.data, entry.config["data"], entry.seconds) == ("2 images held out of shapes", {}, 20.0)
    (folder / "metrics.jsonl").write_text('{"step": 8, "loss": 1.0, "images_per_second": 8.0}\n')
    with pytest.raises(ValueError, match="no finished run"):
        entries.read_runs([folder])


def test_a_folder_of_runs_stands_for_them_and_each_comes_once(make_run, tmp_path):
    for name in ("study/b", "study/a", "other/a"):
        make_run(name, {"retrained": stage(1e9, 0.6)})
    (tmp_path / "study" / "config.json").write_text("{}")  # a study has one of its own
    relative = os.path.relpath(tmp_path / "study" / "a")
    found = entries.read_runs([tmp_path / "study", relative, tmp_path / "other"])
    assert [entry.name for entry in found] == ["study/a", "b", "other/a"]


def test_what_is_skipped_has_a_line(make_run, tmp_path, caplog):
    good = make_run("good", {"retrained": stage(1e9, 0.6)})
    longer = make_run("longer", {"retrained": stage(1e9, 0.6)})
    (longer / "metrics.jsonl").write_text('{"step": 20, "loss": 1.0, "images_per_second": 8.0}\n')
    refused = json.loads((good / "config.json").read_text())  # a shorter run in the same folder, which was refused
    refused["train"]["steps"] = 5
    (good / "config.json").write_text(json.dumps(refused))
    for name, file in (("started", "config.json"), ("sensitivity", "sensitivity.json"), ("compare", "compare.json")):
        (tmp_path / name).mkdir()
        for made in {file, "config.json" if name != "compare" else file}:
            (tmp_path / name / made).write_text("{}")
    (tmp_path / "notes.txt").write_text("")
    with caplog.at_level(logging.WARNING):
        found = entries.read_runs(sorted(tmp_path.iterdir()))
    assert [entry.name for entry in found] == [good.name]
    lines = [record.getMessage().replace(f"{tmp_path}/", "") for record in caplog.records]
    assert lines == [
        "skipped notes.txt: not a folder",
        "skipped compare: a comparison",
        "skipped longer: not finished, it went on after its report",
        "skipped sensitivity: a sensitivity analysis",
        "skipped started: not finished",
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"x holds no run, expected the workdir of yolojax\.prune"),
        ("{", r"x/report\.json: not JSON"),
        ("[]", r"x/report\.json: not a JSON object"),
        ("{}", r"x/report\.json: KeyError 'config', expected a file that this version of yolojax wrote"),
    ],
)
def test_folders_that_are_no_run(tmp_path, content, message):
    (tmp_path / "x").mkdir()
    if content is not None:
        (tmp_path / "x" / "report.json").write_text(content)
    with pytest.raises(ValueError, match=message):
        entries.read_runs([tmp_path / "x"])


def test_no_run_at_all(tmp_path):
    with pytest.raises(ValueError, match="nowhere: no such folder"):
        entries.read_runs([tmp_path / "nowhere"])
    (tmp_path / "started").mkdir()
    (tmp_path / "started" / "config.json").write_text("{}")
    with pytest.raises(ValueError, match=r"no finished run in .*started"):
        entries.read_runs([tmp_path / "started"])


def test_the_mean_of_seeds(make_run):
    runs = [make_run(f"s{n}", {"retrained": stage(1e9 + n, m)}) for n, m in enumerate((0.5, 0.6, 0.7))]
    mean = entries.average(entries.read_runs(runs), name="s")
    assert (mean.name, mean.macs, mean.steps) == ("s", 1e9 + 1, 10)
    assert (mean.map_11point, mean.map_area, mean.spread) == pytest.approx((0.6, 0.61, 0.1))
    one = entries.average(entries.read_runs(runs[:1]), name="one")
    assert one.spread is None
