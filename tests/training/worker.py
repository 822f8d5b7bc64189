"""One process of a run that prunes, trains and evaluates; it writes down what it got. Started by test_processes.py.

Through `cli.Command.run`, so that joining, leaving and dying are those of the commands.
"""

import collections
import dataclasses
import json
import os
import pathlib
import signal
import sys
import time

import jax
import numpy as np

from tests import helpers
from yolojax import cli, data, network, training

COMMAND = cli.Command()
FOLDER = COMMAND.string("folder", None, "Holds the data, and gets the results.")
NAME = COMMAND.string("name", None, "Of the run: its workdir in the folder, and what its results begin with.")
STOP = COMMAND.string("stop", "", "STEP:PROCESS:SIGNAL, sent by that process to itself before that step.")
FAIL = COMMAND.string("fail", "", "STEP:PROCESS, where that process finds a mistake of the user's.")
STEPS, SAVE_EVERY, BATCH, SIZES = 20, 5, 8, (32, 48)


class Counted:
    """A source that counts how often each record is read."""

    def __init__(self, source: data.Records):
        self._source = source
        self.reads: collections.Counter[int] = collections.Counter()

    def __len__(self) -> int:
        return len(self._source)

    def __getitem__(self, index: int) -> dict:
        self.reads[int(index)] += 1
        return self._source[index]


def main(_: list[str]) -> None:
    folder = pathlib.Path(FOLDER.value)
    workdir = folder / NAME.value
    written, saved = watch_writes(workdir), watch_saves()
    dataset = data.open_dataset(f"devkit:{folder / 'squares'}", "train", data_dir=str(folder / "tfds"))
    source = Counted(dataset.source)
    dataset = dataclasses.replace(dataset, source=source)
    architecture, variables, masks = pruned_network()
    state, sizes = train(architecture, variables, masks, dataset, workdir)
    trained = sum(source.reads.values())
    protocol = training.Protocol(size=32, score_threshold=0.005, match_iou=0.1)
    evaluator = training.Evaluator(architecture, dataset, protocol, batch_size=4)
    source.reads.clear()
    result = evaluator.evaluate(state.variables)
    content = {
        "process": jax.process_index(),
        "devices": jax.device_count(),
        "sizes": sorted(sizes),
        "records_trained": trained,
        "records_evaluated": sorted(source.reads.elements()),
        "map": result.map_area,
        "images": result.images,
        "detections": result.detections,
        "saved": saved,
        "written": sorted(written),
    }
    stem = folder / f"{NAME.value}_{jax.process_index()}"
    stem.with_suffix(".json").write_text(json.dumps(content))
    leaves = jax.tree_util.tree_leaves_with_path({"state": state, "masks": masks})
    np.savez(stem.with_suffix(".npz"), **{jax.tree_util.keystr(path): leaf for path, leaf in leaves})


def pruned_network() -> tuple[network.Architecture, dict, dict]:
    """A network that compiles quickly, at stride 4, without the smaller half of its weights."""

    def conv(filters: int) -> network.Convolutional:
        return network.Convolutional(filters, 3, padding=1, batch_normalize=True, activation="leaky")

    head = network.Convolutional(14)
    region = network.Region(((1.2, 1.2), (3.0, 3.0)), 2, 1.0, 5.0, 1.0, 1.0, 0.6, True)
    layers = (conv(4), network.Maxpool(2, 2, 1), conv(8), network.Maxpool(2, 2, 1), conv(8), head, region)
    architecture = network.Architecture(network.Net(32, 32), layers)
    variables = jax.device_get(helpers.random_variables(architecture))
    masks = jax.tree.map(lambda leaf: abs(leaf) >= (np.median(abs(leaf)) if leaf.ndim == 4 else 0), variables["params"])
    return architecture, network.Model(architecture, variables).masked(masks).variables, masks


def train(architecture, variables, masks, dataset, workdir):
    """The last state, and the image sizes of the steps."""
    optimizer = training.make_optimizer("sgd", 0.003, momentum=0.9, decay=5e-4, masks=masks)
    batches = data.train_batches(
        dataset,
        batch_size=BATCH,
        sizes=SIZES,
        seed=2,  # 48 pixels for ten steps, then 32
        max_boxes=5,
        augment=data.AugmentConfig(jitter=0.2, hue=0.1, saturation=1.5, exposure=1.5, flip=True),
        process_index=jax.process_index(),
        process_count=jax.process_count(),
        threads=1,
        prefetch=2,
    )
    dataset.source.reads.clear()  # the count of objects reads every record once
    compiled = training.compile_train_step(architecture, optimizer)
    sizes = set()

    def step(state, batch):
        sizes.add(batch["image"].shape[1])
        interfere(int(state.step[0]) + 1, workdir / "checkpoints")
        return compiled(state, batch)

    state = training.fit(
        training.create_state(variables, optimizer),
        step,
        batches,
        architecture=architecture,
        names=dataset.names,
        workdir=workdir,
        settings=training.LoopSettings(STEPS, log_every=1, save_every=SAVE_EVERY),
        learning_rate=lambda step: 0.003,
    )
    return state, sizes


def interfere(step: int, checkpoints: pathlib.Path) -> None:
    """What the flags ask for before `step`."""
    if STOP.value:
        at, process, number = STOP.value.split(":")
        if (step, jax.process_index()) == (int(at), int(process)):
            if number == "SIGKILL":  # these steps are quicker than a save
                wait_for(checkpoints / str(step - step % SAVE_EVERY))
            os.kill(os.getpid(), signal.Signals[number])
        if number == "SIGTERM" and step >= int(at):  # and quicker than the notice to the other processes
            time.sleep(0.5)
    if FAIL.value == f"{step}:{jax.process_index()}":
        raise ValueError(f"a mistake on process {jax.process_index()}")


def wait_for(path: pathlib.Path) -> None:
    """Returns when `path` exists; after a minute anyway."""
    end = time.monotonic() + 60
    while not path.exists() and time.monotonic() < end:
        time.sleep(0.05)


def watch_writes(folder: pathlib.Path) -> set[str]:
    """A set that gets what Python opens for writing, makes or renames under `folder`."""
    found: set[str] = set()

    def hook(event: str, arguments: tuple) -> None:
        writes = event in ("os.mkdir", "os.rename") or (event == "open" and (arguments[2] or 0) & os.O_ACCMODE)
        if writes and not isinstance(arguments[0], int) and pathlib.Path(arguments[0]).is_relative_to(folder):
            found.add(str(pathlib.Path(arguments[0]).relative_to(folder)))

    sys.addaudithook(hook)
    return found


def watch_saves() -> list[int]:
    """A list that gets the steps that this process saves."""
    steps: list[int] = []
    save = training.Checkpoints.save

    def watched(self, state, *args, **kwargs) -> None:
        save(self, state, *args, **kwargs)
        steps.append(int(state.step))

    training.Checkpoints.save = watched
    return steps


if __name__ == "__main__":
    COMMAND.run(main)
