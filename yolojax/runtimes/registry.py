"""The runtimes, one entry of `RUNTIMES` each; the package of one is imported when it loads a network."""

import jax

from yolojax.runtimes.program import Program
from yolojax.runtimes.runtime import Runtime, Session


def _openvino(program: Program, batch: int, threads: int) -> Session:
    from yolojax.runtimes.openvino import OpenvinoSession

    return OpenvinoSession(program, batch=batch, threads=threads, precision="f32")


def _openvino_bf16(program: Program, batch: int, threads: int) -> Session:
    from yolojax.runtimes.openvino import OpenvinoSession

    return OpenvinoSession(program, batch=batch, threads=threads, precision="bf16")


def _onnxruntime(program: Program, batch: int, threads: int) -> Session:
    from yolojax.runtimes.onnxruntime import OnnxruntimeSession

    return OnnxruntimeSession(program, threads=threads)


def _opencv(program: Program, batch: int, threads: int) -> Session:
    from yolojax.runtimes.opencv import OpencvSession

    return OpencvSession(program, threads=threads)


def _jax(program: Program, batch: int, threads: int) -> Session:
    from yolojax.runtimes.jax import JaxSession

    if threads:
        raise ValueError("threads: XLA settles its own when the process starts; leave out the number, or jax")
    assert program.model is not None
    return JaxSession(program.model)


FILES = frozenset({"model", ".onnx"})
# The fastest first (docs/benchmarks.md). bfloat16 is faster still; it changes the numbers and is asked for by name.
RUNTIMES: dict[str, Runtime] = {
    runtime.name: runtime
    for runtime in (
        Runtime("openvino", "OpenVINO", "openvino", FILES | {".xml"}, _openvino),
        Runtime("onnxruntime", "ONNX Runtime", "onnxruntime", FILES, _onnxruntime),
        Runtime("opencv", "OpenCV DNN", "cv2", FILES, _opencv),
        Runtime("jax", "JAX", "jax", frozenset({"model"}), _jax),
        Runtime("openvino-bf16", "OpenVINO, bfloat16", "openvino", FILES | {".xml"}, _openvino_bf16),
    )
}


def fastest(program: Program) -> Runtime:
    """The fastest installed runtime that loads this program and computes in float32; JAX where it has an accelerator.

    Raises ValueError where none is installed that reads the program's file.
    """
    first = "" if jax.default_backend() == "cpu" else "jax"
    for runtime in sorted(RUNTIMES.values(), key=lambda runtime: runtime.name != first):
        if runtime.installed and program.kind in runtime.reads:
            return runtime
    raise ValueError(f"no installed runtime reads {program.file}; pip install yolojax[runtimes]")


def choose(name: str, program: Program) -> Runtime:
    """The runtime of that name, or the fastest for an empty one. ValueError for one that is not in `RUNTIMES`."""
    if name and name not in RUNTIMES:
        raise ValueError(f"runtime {name!r}, expected one of {', '.join(RUNTIMES)}")
    return RUNTIMES[name] if name else fastest(program)
