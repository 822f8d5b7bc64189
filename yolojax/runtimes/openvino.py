"""OpenVINO on a CPU, in float32 or bfloat16; int8 networks run as their file says."""

import numpy as np

from yolojax import export
from yolojax.runtimes.machine import cores
from yolojax.runtimes.program import Program
from yolojax.runtimes.runtime import Session, median_by_layer


class OpenvinoSession(Session):
    """A compiled model with a fixed batch, on which OpenVINO's kernels depend."""

    def __init__(self, program: Program, *, batch: int, threads: int, precision: str):
        self._program = program
        core = export.require_openvino().Core()
        model = core.read_model(program.file if program.kind == ".xml" else program.onnx)
        net = program.architecture.net
        model.reshape([batch, net.channels, net.height, net.width])
        options = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads or cores(),
            "INFERENCE_PRECISION_HINT": precision,
        }
        self._profiled = lambda: core.compile_model(model, "CPU", {**options, "PERF_COUNT": True})
        self._request = core.compile_model(model, "CPU", options).create_infer_request()

    def run(self, arranged: np.ndarray) -> np.ndarray:
        self._request.infer([arranged], share_inputs=True)
        head: np.ndarray = self._request.get_output_tensor().data
        return head.copy().transpose(0, 2, 3, 1)

    def layer_seconds(self, arranged: np.ndarray, rounds: int) -> dict[str, float]:
        request = self._profiled().create_infer_request()
        request.infer([arranged])  # also allocates
        found = []
        for _ in range(rounds):
            request.infer([arranged])
            found.append([(info.node_name, info.real_time.total_seconds()) for info in request.profiling_info])
        return median_by_layer(self._program, found)
