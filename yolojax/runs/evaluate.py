"""Scoring a network on a data set, or the detection files of any detector on a devkit folder."""

import dataclasses
import time
from collections.abc import Sequence

import jax
from absl import logging

from yolojax import darknet, data, detection, runtimes, training
from yolojax.files import write_json
from yolojax.runs.labels import require_labels


def evaluate_program(
    program: runtimes.Program,
    spec: str,
    split: str,
    protocol: training.Protocol,
    *,
    data_dir: str = "",
    batch_size: int = 16,
    save_detections: str = "",
    runtime: str = "",
) -> training.Evaluation:
    """mAP of a network on a split of the data set `spec`; its detections as devkit files if a folder is given.

    `runtime` is one of `runtimes.RUNTIMES`; without one, JAX on its devices, or the fastest that reads the file.
    The size is that of the program.
    """
    require_labels(spec, "evaluation")
    protocol = dataclasses.replace(protocol, size=program.size)
    dataset = data.open_dataset(spec, split, data_dir=data_dir or None, names=program.names or None)
    training.require_names(program, dataset.names, dataset.description)
    on_devices = program.model is not None and runtime in ("", "jax")
    session = None if on_devices else runtimes.choose(runtime, program).load(program, batch=batch_size)
    evaluator = training.Evaluator(program.architecture, dataset, protocol, batch_size=batch_size, session=session)
    start = time.monotonic()
    found = evaluator.predict(program.model.variables if program.model else None)
    seconds = time.monotonic() - start
    if save_detections and jax.process_index() == 0:
        ids = [annotation.image_id for annotation in evaluator.annotations]
        detection.write_detections(save_detections, dataset.names, ids, found)
    return training.score(evaluator.annotations, found, dataset.names, protocol, seconds=seconds)


def evaluate_detections(folder: str, devkit: str, split: str, names: Sequence[str]) -> training.Evaluation:
    """mAP of the detection files in `folder`, one per class, against the annotations of a devkit folder.

    `names` restricts the classes; without any, every class that has a file counts.
    """
    names = tuple(names) or detection.classes_with_files(folder)
    annotations = data.read_annotations(devkit, split, names)
    ids = [annotation.image_id for annotation in annotations]
    found = detection.read_detections(folder, names, ids)
    return training.score(annotations, found, names, training.Matching())


def show(result: training.Evaluation, json_path: str) -> None:
    """Prints the result; writes it as JSON if a path is given."""
    if jax.process_index() > 0:
        return
    print(result)
    if json_path:
        write_json(json_path, result.to_json())
        logging.info("wrote %s", json_path)


def read_names(path: str) -> tuple[str, ...]:
    """The class names in a file; none without a path."""
    return tuple(darknet.read_names(path)) if path else ()
