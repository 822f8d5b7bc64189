"""What a runtime is: how it loads a network, runs it on a batch, and tells what each layer takes."""

import dataclasses
import importlib.util
import re
import statistics
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Iterable

import numpy as np

from yolojax.runtimes.machine import describe_package
from yolojax.runtimes.program import Program

LAYER = re.compile(r"(?:conv|maxpool|avgpool|reorg|route|softmax)_\d+|head")


class Session(ABC):
    """A network loaded for batches of one size."""

    def arrange(self, images: np.ndarray) -> np.ndarray:
        """(B, H, W, C) float32 in 0..1, in the order of axes that the runtime reads: (B, C, H, W)."""
        return np.ascontiguousarray(images.transpose(0, 3, 1, 2))

    @abstractmethod
    def run(self, arranged: np.ndarray) -> np.ndarray:
        """What `arrange` gave -> the head, (B, rows, columns, A*(5+C)) float32."""

    def layer_seconds(self, arranged: np.ndarray, rounds: int) -> dict[str, float]:
        """Seconds of each layer in a call, the median over `rounds`; empty where the runtime cannot tell."""
        return {}

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """(B, H, W, C) float32 in 0..1 -> the head, (B, rows, columns, A*(5+C)) float32."""
        return self.run(self.arrange(images))


@dataclasses.dataclass(frozen=True)
class Runtime:
    """One entry of `RUNTIMES`.

    Attributes:
      name: what `--runtime` calls it.
      what: its name in tables.
      package: its module.
      reads: kinds of program that it loads: `model`, `.onnx`, `.xml`.
      open: `open(program, batch, threads)` loads it; 0 threads leaves the number to the runtime.
    """

    name: str
    what: str
    package: str
    reads: frozenset[str]
    open: Callable[[Program, int, int], Session]

    @property
    def version(self) -> str:
        """Its name in tables, and the version of its package."""
        return f"{self.what} {describe_package(self.package)}"

    @property
    def missing(self) -> list[str]:
        """The modules that it needs and that are not installed; onnx, where it gets networks as ONNX files."""
        needed = [self.package, "onnx"] if ".onnx" in self.reads else [self.package]
        return [name for name in needed if importlib.util.find_spec(name) is None]

    @property
    def installed(self) -> bool:
        """Whether all that it needs is there."""
        return not self.missing

    def check_installed(self) -> None:
        """Raises ValueError where something that it needs is not there."""
        if missing := self.missing:
            what = " and ".join(missing)
            raise ValueError(f"the runtime {self.name} needs {what}; pip install yolojax[runtimes]")

    def load(self, program: Program, *, batch: int = 1, threads: int = 0) -> Session:
        """The program, loaded for batches of `batch` images.

        Raises ValueError where the runtime is not installed, or does not read this kind of file.
        """
        self.check_installed()
        if program.kind not in self.reads:
            raise ValueError(
                f"{program.file}: {self.name} does not read {program.kind} files; "
                f"expected {', '.join(sorted(self.reads - {'model'})) or 'a network with variables'}"
            )
        return self.open(program, batch, threads)


def median_by_layer(program: Program, rounds: Iterable[Iterable[tuple[str, float]]]) -> dict[str, float]:
    """The median over rounds of a runtime's nodes' seconds, summed by the layer in their names.

    `other` has those of no layer.
    """
    seconds: dict[str, list[float]] = defaultdict(list)
    for nodes in rounds:
        for layer, value in _sum_by_layer(program, nodes).items():
            seconds[layer].append(value)
    return {layer: statistics.median(values) for layer, values in seconds.items()}


def _sum_by_layer(program: Program, nodes: Iterable[tuple[str, float]]) -> dict[str, float]:
    seconds: dict[str, float] = defaultdict(float)
    for name, value in nodes:
        found = LAYER.search(name)
        layer = found[0] if found else "other"
        seconds[program.architecture.head_name if layer == "head" else layer] += value
    return seconds
