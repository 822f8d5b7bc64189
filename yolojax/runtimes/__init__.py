"""The same network in JAX, ONNX Runtime, OpenVINO and OpenCV: load, run on a batch, time.

Their packages are the extra `runtimes`; nothing else needs them.
"""

from yolojax.runtimes.latency import LatencyTable, measure_latency, read_table, time_networks
from yolojax.runtimes.machine import cores, describe_machine
from yolojax.runtimes.program import Program, make_program, open_program
from yolojax.runtimes.registry import RUNTIMES, choose, fastest
from yolojax.runtimes.runtime import Runtime, Session
from yolojax.runtimes.timing import Timing, race

__all__ = [
    "RUNTIMES",
    "LatencyTable",
    "Program",
    "Runtime",
    "Session",
    "Timing",
    "choose",
    "cores",
    "describe_machine",
    "fastest",
    "make_program",
    "measure_latency",
    "open_program",
    "race",
    "read_table",
    "time_networks",
]
