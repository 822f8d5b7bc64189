"""Runs made by hand: the files that a comparison reads, without the hours."""

import json
import pathlib
from collections.abc import Callable

import pytest

from yolojax.settings import Settings

PROTOCOL = {"size": 32, "score_threshold": 0.005, "nms_iou": 0.45, "match_iou": 0.5}
MakeRun = Callable[..., pathlib.Path]


def stage(macs: float, map_11point: float, *, size: int = 32, nonzero: int = 900) -> dict:
    """One network of a report.json; its other numbers follow from `macs`."""
    evaluation = {"map_11point": map_11point, "map_area": map_11point + 0.01, "protocol_text": f"{size}x{size}"}
    evaluation["protocol"] = {**PROTOCOL, "size": size}
    numbers = {"macs": int(macs), "parameters": 1000, "nonzero": nonzero, "weights_bytes": int(macs // 100)}
    return {**numbers, "compressed_bytes": int(macs // 200), "evaluation": evaluation}


@pytest.fixture
def make_run(tmp_path) -> MakeRun:
    """Makes a finished pruning run `name` with these stages, after an original of 4 GMACs and mAP .8."""

    def make(name, stages, *, data="shapes test (2 images)", size=32, seconds=9.0, log=(), **sections):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        config = Settings().replace(**{"train": {"steps": 10}} | sections).to_json()
        report = {
            "config": config,
            "eval_set": data,
            "retrain_steps": config["train"]["steps"],
            "retrain_seconds": seconds,
        }
        report["stages"] = {"original": stage(4e9, 0.8, size=size), **stages}
        (folder / "config.json").write_text(json.dumps(config))
        (folder / "report.json").write_text(json.dumps(report))
        if log:
            (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in log))
        return folder

    return make
