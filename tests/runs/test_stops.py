"""Real processes that are stopped: the same command resumes and ends with the same parameters, bit for bit."""

import json
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import time

import pytest

from yolojax import runs
from yolojax.runs.workdir import claim

ROOT = pathlib.Path(__file__).parents[2]
SAVE_EVERY = 5
STEPS = 60
KILLS = int(os.environ.get("YOLOJAX_KILLS", "2"))


@pytest.fixture(scope="module")
def command(recipe, trained):
    """A pruning run: masks, optimizer slots, multi-scale, augmentation."""
    environment = {**os.environ, "XLA_FLAGS": "", "PYTHONUNBUFFERED": "1"}

    def start(workdir, *, limit=""):
        fields = {
            "model.start": trained / "model.weights",
            "data.source": recipe.data.source,
            "data.dir": recipe.data.dir,
            "eval.size": 32,
            "train.sizes": "(32, 48)",
            "train.batch_size": 4,
            "eval.batch_size": 4,
            "train.steps": STEPS,
            "train.eval_every": 30,
            "train.log_every": 1,
            "train.save_every": SAVE_EVERY,
            "train.learning_rate": 0.001,
            "eval.pictures": 1,
        }
        flags = [f"--config.{name}={value}" for name, value in fields.items()]
        arguments = [sys.executable, "-m", "yolojax.prune", "--config", "configs/weight80.py", *flags]
        script = f'{limit} exec "$@"'
        return subprocess.Popen(
            ["bash", "-c", script, "bash", *arguments, "--workdir", str(workdir)],
            cwd=ROOT,
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


@pytest.fixture(scope="module")
def whole(command, tmp_path_factory):
    """The workdir of a run that is never stopped, and the seconds that it took."""
    workdir, start = tmp_path_factory.mktemp("stops") / "whole", time.monotonic()
    process = command(workdir)
    _, stderr = process.communicate(timeout=300)
    assert process.returncode == 0, stderr
    return workdir, time.monotonic() - start


def steps_logged(workdir):
    path = workdir / "metrics.jsonl"
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    return max((json.loads(line)["step"] for line in lines if line.endswith("\n")), default=0)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["SIGKILL", "SIGTERM"])
def test_stopped_at_random_moments_the_run_ends_the_same(number, whole, command, tmp_path):
    reference, seconds = whole
    dice = random.Random(int(number))
    kills, reached, lost = 0, 0, []
    while True:
        process = command(tmp_path / "run")
        if kills < KILLS:
            wait_for_training(process, tmp_path / "run", reached)
            time.sleep(dice.uniform(0, seconds / 8))
            process.send_signal(number)
        _, stderr = process.communicate(timeout=300)
        if reached and (resumed := re.search(r"resumed \S+ at step (\d+)", stderr)):
            lost.append(reached - int(resumed[1]))
        if process.returncode == 0:
            break
        kills += 1
        # Outside of the training SIGTERM ends the process as always: there is nothing to save.
        assert process.returncode in ((143, -number) if number == signal.SIGTERM else (-number,)), stderr
        reached = steps_logged(tmp_path / "run")
    print(f"{number.name}: {kills} stops, steps lost {lost}")
    # Steps are quick here: a save may still be in progress when the next one begins.
    assert max(lost, default=0) <= (0 if number == signal.SIGTERM else 2 * SAVE_EVERY)
    assert lost, "no stop fell into the training"
    for name in ("model.weights", "masks.npz"):
        assert (tmp_path / "run" / name).read_bytes() == (reference / name).read_bytes()
    metrics = [(r / "metrics.jsonl").read_text().splitlines() for r in (reference, tmp_path / "run")]
    steps = [[(json.loads(line)["step"], json.loads(line).get("loss")) for line in lines] for lines in metrics]
    assert steps[0] == steps[1]


@pytest.mark.slow
def test_ctrl_c_saves_and_leaves(command, ctrl_c, tmp_path):
    process = command(tmp_path / "run")
    wait_for_training(process, tmp_path / "run", 0)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=300)
    assert process.returncode == 130, stderr
    assert "Traceback" not in stderr
    assert f"stopped at step {steps_logged(tmp_path / 'run')}, which is saved" in stderr


def wait_for_training(process, workdir, reached):
    """Returns when a step after `reached` is logged, or the process is gone."""
    while process.poll() is None and steps_logged(workdir) <= reached < STEPS:
        time.sleep(0.01)


def test_a_disk_that_is_full(command, tmp_path):
    # The largest file that bash lets its child write, in kB; the shell's limit stands for the disk's.
    process = command(tmp_path / "run", limit="ulimit -f 12;")
    _, stderr = process.communicate(timeout=300)
    assert process.returncode == 2, stderr
    assert re.search(r"^error: .*(could not be written|File too large)", stderr, re.MULTILINE), stderr
    # Orbax's writers run side by side: asyncio may tell of a second one that failed, with a traceback of its own.
    assert "yolojax/cli.py" not in stderr


def test_two_runs_in_one_workdir(recipe, trained, tmp_path):
    recipe = recipe.replace(model={"start": str(trained / "model.weights")})
    with (
        claim(recipe, tmp_path),
        pytest.raises(ValueError, match=re.escape(f"{tmp_path} is in use by another run")),
    ):
        runs.run_pruning(recipe, tmp_path)


def test_a_workdir_that_is_a_file(recipe, tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(OSError, match="taken"):
        runs.run_training(recipe, tmp_path / "taken")
