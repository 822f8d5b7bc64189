"""One process of a distributed run: trains and evaluates, and writes what it got. Started by test_processes.py."""

import json
import pathlib
import sys

import jax
import numpy as np

from tests import helpers
from yolojax import data, training


def main(folder: pathlib.Path, processes: int, process: int, coordinator: str) -> None:
    if processes > 1:
        jax.distributed.initialize(coordinator, processes, process)
    dataset = data.open_dataset(f"devkit:{folder / 'squares'}", "train", data_dir=str(folder / "tfds"))
    architecture = helpers.small_architecture(classes=2)
    variables = helpers.random_variables(architecture)
    optimizer = training.make_optimizer("sgd", 0.003, momentum=0.9, decay=5e-4)
    batches = data.train_batches(
        dataset,
        batch_size=8,
        sizes=(32, 48),
        seed=3,
        max_boxes=5,
        augment=data.AugmentConfig(jitter=0.2, hue=0.1, saturation=1.5, exposure=1.5, flip=True),
        process_index=jax.process_index(),
        process_count=jax.process_count(),
        threads=1,
    )
    workdir = folder / f"run{processes}x{jax.local_device_count()}"
    state = training.fit(
        training.create_state(variables, optimizer),
        training.compile_train_step(architecture, optimizer),
        batches,
        architecture=architecture,
        names=dataset.names,
        workdir=workdir,
        settings=training.LoopSettings(20, log_every=5, save_every=10),
        learning_rate=lambda step: 0.003,
    )
    protocol = training.Protocol(size=32, score_threshold=0.005)
    result = training.Evaluator(architecture, dataset, protocol, batch_size=4).evaluate(state.variables)
    leaves = {
        "/".join(key.key for key in path): float(np.linalg.norm(leaf))
        for path, leaf in jax.tree_util.tree_leaves_with_path(state.variables)
    }
    content = {"leaves": leaves, "map": result.map_area, "detections": result.detections, "images": result.images}
    (folder / f"result{processes}x{jax.local_device_count()}_{process}.json").write_text(json.dumps(content))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
