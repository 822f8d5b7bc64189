"""ONNX Runtime on a CPU."""

import json
import pathlib
import tempfile

import numpy as np
import onnxruntime

from yolojax.runtimes.program import Program
from yolojax.runtimes.runtime import Session, median_by_layer

PROVIDERS = ["CPUExecutionProvider"]


class OnnxruntimeSession(Session):
    """A session of the CPU provider."""

    def __init__(self, program: Program, *, threads: int):
        self._program, self._threads = program, threads
        self._session = onnxruntime.InferenceSession(program.onnx, self._options(), providers=PROVIDERS)

    def _options(self) -> onnxruntime.SessionOptions:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        return options

    def run(self, arranged: np.ndarray) -> np.ndarray:
        (head,) = self._session.run(["head"], {"images": arranged})
        return head.transpose(0, 2, 3, 1)

    def layer_seconds(self, arranged: np.ndarray, rounds: int) -> dict[str, float]:
        with tempfile.TemporaryDirectory() as folder:
            options = self._options()
            options.enable_profiling, options.profile_file_prefix = True, str(pathlib.Path(folder) / "profile")
            session = onnxruntime.InferenceSession(self._program.onnx, options, providers=PROVIDERS)
            for _ in range(rounds + 1):
                session.run(["head"], {"images": arranged})
            events = json.loads(pathlib.Path(session.end_profiling()).read_text())
        nodes = [(event["name"], 1e-6 * event["dur"]) for event in events if event["cat"] == "Node"]
        calls = np.array_split(np.arange(len(nodes)), rounds + 1)[1:]  # the first one also allocates
        return median_by_layer(self._program, ([nodes[index] for index in call] for call in calls))
