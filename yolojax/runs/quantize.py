"""An int8 ONNX file: calibrated on a data set, and measured before and after where that has labels."""

import dataclasses
import pathlib
import tempfile

import numpy as np
from jaxtyping import Float32

from yolojax import data, export, network, runtimes, training
from yolojax.files import write_bytes
from yolojax.network import Model
from yolojax.runs.evaluate import evaluate_program

SEED = 0
RUNTIME = "onnxruntime"  # there wherever this command runs, since it quantises too


def write_int8(path: pathlib.Path, model: Model, facts: export.Facts, options: export.OnnxOptions) -> None:
    """Writes the network with int8 convolutions, and a card with its calibration and, where the data have labels, mAP.

    Raises ValueError as `int8_onnx` does.
    """
    architecture = model.architecture
    quantized, facts = int8_onnx(model, facts, options)
    if options.suppression:
        quantized = export.with_detections(quantized, architecture, options.suppression)
    write_bytes(path, quantized)
    interface = export.onnx_interface(architecture, options.suppression)
    interface = dataclasses.replace(interface, kind=f"{interface.kind}; int8 convolutions (QDQ)")
    export.write_card(path, architecture, model.variables, interface, facts)


def int8_onnx(model: Model, facts: export.Facts, options: export.Int8Options) -> tuple[bytes, export.Facts]:
    """An ONNX file with int8 convolutions that gives the head, and the facts of it in place of the float network's.

    Raises ValueError for data that cannot be read, and for a network that is not square or too small.
    """
    net, spec = model.architecture.net, options.calibrate
    if net.width != net.height:
        raise ValueError(f"a network of {net.width}x{net.height} cannot be calibrated; --size")
    plain = export.onnx_model(model.architecture, model.variables, names=model.names).SerializeToString()
    images, description = calibration_images(spec, model, options.calibrate_images)
    quantized = export.quantize_onnx(plain, images)
    notes: tuple[str, ...] = (
        "int8: convolutions but the first and the last, weights per filter, activations per tensor; calibrated on "
        f"{len(images)} images of {description}, by chance (seed {SEED}), {export.METHOD}.",
    )
    after = None
    if data.has_labels(spec) and "test" in data.SOURCES[spec.partition(":")[0]].splits:
        before, after = (measure(file, spec) for file in (plain, quantized))
        notes += (f"mAP before, in float32: {before.map_11point:.4f} (11-point), {before.map_area:.4f} (area).",)
        for name, found in (("float32", before), ("int8", after)):
            print(f"mAP in {name}: {found.map_11point:.4f} (11-point), {found.map_area:.4f} (area), {found.data}")
    return quantized, dataclasses.replace(facts, measured=after, notes=notes)


def calibration_images(
    spec: str, model: Model, count: int
) -> tuple[Float32[np.ndarray, "count channels height width"], str]:
    """`count` images of the training split, all where it has fewer, read as evaluation does, and what the split is.

    Of data whose training images come with those for validation, in one list, it takes these.
    """
    split = "train" if "train" in data.find_splits(spec) else "trainval"
    dataset = data.open_dataset(spec, split, names=model.names or None)
    chosen = np.sort(np.random.default_rng(SEED).permutation(len(dataset))[:count])
    part = dataclasses.replace(dataset, source=[dataset.source[int(index)] for index in chosen])
    batches = data.eval_batches(part, batch_size=1, size=model.architecture.net.width)
    images = np.concatenate([np.asarray(network.to_input(model.architecture, batch["image"])) for batch in batches])
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2)), dataset.description


def measure(model: bytes, spec: str) -> export.Measured:
    """mAP of an ONNX file on the test split, in ONNX Runtime."""
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "model.onnx"
        file.write_bytes(model)
        program = runtimes.open_program(file)
        protocol = training.Protocol(program.size)
        found = evaluate_program(program, spec, "test", protocol, runtime=RUNTIME)
    about = f"{spec} test ({found.images} images)"
    return export.Measured(found.map_11point, found.map_area, about, f"{protocol}, in ONNX Runtime")
