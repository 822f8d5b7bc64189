"""Real processes: the same run on 1 x 1, 1 x 4, 2 x 2 (processes x devices)."""

import json
import os
import pathlib
import socket
import subprocess
import sys

import pytest

from tests import helpers
from yolojax import data

ROOT = pathlib.Path(__file__).parents[2]


def run(folder: pathlib.Path, processes: int, devices: int) -> list[dict]:
    with socket.socket() as free:
        free.bind(("localhost", 0))
        coordinator = f"localhost:{free.getsockname()[1]}"
    environment = {
        **os.environ,
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}",
        "JAX_PLATFORMS": "cpu",
        "PYTHONPATH": str(ROOT),
    }
    workers = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.training.worker", str(folder), str(processes), str(i), coordinator],
            env=environment,
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
        )
        for i in range(processes)
    ]
    errors = [worker.communicate(timeout=240)[1] for worker in workers]
    assert [worker.returncode for worker in workers] == [0] * processes, errors
    return [json.loads((folder / f"result{processes}x{devices}_{i}.json").read_text()) for i in range(processes)]


@pytest.mark.slow
def test_processes_and_devices_change_nothing(tmp_path):
    helpers.make_devkit(tmp_path / "squares")
    data.open_dataset(f"devkit:{tmp_path / 'squares'}", "train", data_dir=str(tmp_path / "tfds"))
    (alone,) = run(tmp_path, 1, 1)
    assert alone["images"] == 10
    assert alone["detections"] > 0
    for processes, devices in [(1, 4), (2, 2)]:
        for other in run(tmp_path, processes, devices):
            assert other["leaves"] == pytest.approx(alone["leaves"], rel=2e-3, abs=2e-4)
            assert other["images"] == 10
            assert other["map"] == pytest.approx(alone["map"], abs=0.02)
    # Only one process writes results.
    assert len((tmp_path / "run2x2" / "metrics.jsonl").read_text().splitlines()) == 4
