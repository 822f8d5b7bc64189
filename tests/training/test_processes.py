"""Real processes: the same run on any number of them, and on another number after some of them died."""

import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

from tests import helpers
from tests.training import worker
from yolojax import data, training

ROOT = pathlib.Path(__file__).parents[2]
IMAGES = 11  # divides by neither 2 nor 4
SECONDS_TO_END = 60  # for the others, when one process has died

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("processes")
    helpers.make_devkit(folder / "squares", count=IMAGES)
    data.open_dataset(f"devkit:{folder / 'squares'}", "train", data_dir=str(folder / "tfds"))
    return folder


@contextlib.contextmanager
def started(folder, name, processes, devices, *flags):
    """The processes of a run; those that are left at the end are killed."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        coordinator = f"localhost:{free.getsockname()[1]}"
    environment = {
        **os.environ,
        # These networks take longer to compile than to run.
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices} --xla_backend_optimization_level=0",
        "JAX_PLATFORMS": "cpu",
        "JAX_COMPILATION_CACHE_DIR": str(ROOT / ".cache" / "jax"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }
    command = [sys.executable, "-m", "tests.training.worker", "--folder", str(folder), "--name", name, *flags]
    workers = []
    for i in range(processes):
        place = ["--coordinator", coordinator, "--processes", str(processes), "--process_id", str(i)]
        with (folder / f"{name}_{i}.stderr").open("w") as stderr:
            workers.append(
                subprocess.Popen(
                    command + place * (processes > 1), cwd=ROOT, env=environment, stdout=stderr, stderr=stderr
                )
            )
    try:
        yield workers
    finally:
        for process in workers:
            process.kill()
            process.wait()


def told(folder, name):
    """What the processes of a run wrote to stderr."""
    return "\n".join(path.read_text() for path in sorted(folder.glob(f"{name}_*.stderr")))


def run(folder, name, processes, devices):
    """The results of each process of a run that nothing stops."""
    with started(folder, name, processes, devices) as workers:
        codes = [process.wait(timeout=300) for process in workers]
    assert codes == [0] * processes, told(folder, name)
    return [
        (json.loads((folder / f"{name}_{i}.json").read_text()), np.load(folder / f"{name}_{i}.npz"))
        for i in range(processes)
    ]


def stop(folder, name, processes, *flags):
    """Exit codes of a run of which one process is stopped; the others must end in time."""
    with started(folder, name, processes, 1, *flags) as workers:
        while not any(map(has_stopped, workers)):
            time.sleep(0.05)
        died = time.monotonic()
        while any(process.poll() is None and not has_stopped(process) for process in workers):
            assert time.monotonic() - died < SECONDS_TO_END, told(folder, name)
            time.sleep(0.05)
        return [process.poll() for process in workers]


def has_stopped(process):
    """Whether it ended, or stands still after SIGSTOP."""
    if process.poll() is not None:
        return True
    return os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT) is not None


def losses(workdir):
    return {line["step"]: line["loss"] for line in training.read_metrics(workdir / "metrics.jsonl")}


def assert_same_run(folder, name, arrays, alone):
    """The parameters, BN statistics, optimizer slots and losses of the run on one device."""
    reference = alone[1]
    assert arrays.files == reference.files
    for key in reference.files:
        np.testing.assert_allclose(arrays[key], reference[key], rtol=1e-3, atol=1e-5, err_msg=key)
    assert losses(folder / name) == pytest.approx(losses(folder / "alone"), rel=1e-4)


@pytest.fixture(scope="module")
def alone(folder):
    ((result, arrays),) = run(folder, "alone", 1, 1)
    assert result["sizes"] == [32, 48]
    assert result["detections"] > 0
    assert result["map"] > 0.05
    assert len(losses(folder / "alone")) == worker.STEPS
    assert losses(folder / "alone")[worker.STEPS] < losses(folder / "alone")[1] / 2
    return result, arrays


def test_dropped_weights_stay_zero(alone):
    _, arrays = alone
    dropped = 0
    for key in arrays.files:
        if key.startswith("['masks']") and key.endswith("['kernel']"):
            leaf = key.removeprefix("['masks']")
            for slot in ("['state'].params", "['state'].opt_state.inner[1].trace"):
                assert np.all(arrays[slot + leaf][~arrays[key]] == 0)
                assert np.all(arrays[slot + leaf][arrays[key]] != 0)
            dropped += np.sum(~arrays[key])
    assert dropped > 300


@pytest.mark.parametrize(("processes", "devices"), [(1, 4), (2, 2), (4, 1)])
def test_processes_and_devices_change_nothing(folder, alone, processes, devices):
    name = f"{processes}x{devices}"
    results = run(folder, name, processes, devices)
    for result, arrays in results:
        assert result["devices"] == 4
        assert result["sizes"] == [32, 48]
        assert_same_run(folder, name, arrays, alone)
        assert result["images"] == IMAGES
        assert result["map"] == pytest.approx(alone[0]["map"], abs=2e-3)
    # Each process reads its share, and a few batches ahead; in evaluation every image is read once.
    share = worker.BATCH // processes
    for result, _ in results:
        assert worker.STEPS * share <= result["records_trained"] <= (worker.STEPS + 8) * share
    assert [result["records_evaluated"] for result, _ in results] == [
        list(range(i, IMAGES, processes)) for i in range(processes)
    ]
    # All take part in saving, and process 0 alone writes.
    assert [result["saved"] for result, _ in results] == [[5, 10, 15, 20]] * processes
    first, *others = [result["written"] for result, _ in results]
    assert {"metrics.jsonl", "tensorboard", "checkpoints"} <= set(first)
    assert others == [[]] * (processes - 1)


def test_a_job_that_dies_goes_on_with_another_number_of_processes(folder, alone):
    steps = folder / "job" / "checkpoints"
    # A process dies; the other one ends with an error.
    codes = stop(folder, "job", 2, "--stop", "8:1:SIGKILL")
    assert codes[1] == -signal.SIGKILL
    assert codes[0] not in (0, None), told(folder, "job")
    assert newest(steps) == 5
    # SIGTERM: saved at once.
    assert stop(folder, "job", 1, "--stop", "9:0:SIGTERM") == [143]
    assert newest(steps) == 9
    # The process that the others report to dies.
    codes = stop(folder, "job", 2, "--stop", "12:0:SIGKILL")
    assert codes[0] == -signal.SIGKILL
    assert codes[1] not in (0, None), told(folder, "job")
    assert newest(steps) == 10
    # SIGTERM to one process, before its first step: all save the same step and leave.
    assert stop(folder, "job", 2, "--stop", "11:1:SIGTERM") == [143, 143], told(folder, "job")
    assert 11 <= newest(steps) < worker.STEPS
    ((result, arrays),) = run(folder, "job", 1, 4)
    assert_same_run(folder, "job", arrays, alone)
    assert result["map"] == pytest.approx(alone[0]["map"], abs=2e-3)


def newest(folder):
    return max(int(path.name) for path in folder.iterdir() if path.name.isdigit())


def test_a_process_that_falls_silent_ends_the_others(folder):
    codes = stop(folder, "silent", 2, "--stop", "2:1:SIGSTOP")
    assert codes[0] not in (0, None), told(folder, "silent")
    assert codes[1] is None


def test_a_mistake_that_one_process_finds_ends_all(folder):
    codes = stop(folder, "mistake", 2, "--fail", "2:1")
    assert codes[1] == 2
    assert codes[0] not in (0, None), told(folder, "mistake")
    assert "error: a mistake on process 1\n" in (folder / "mistake_1.stderr").read_text()
