"""What a network of other widths would take: milliseconds of each layer, measured in one runtime and fitted.

Networks with the same layers and random widths are run, and each layer's time is fitted by what moves it: a constant,
its input channels, its filters, and the product of both, with coefficients that are not negative. So a network never
gets slower by the fit when filters go, as `pruning.budget_masks` wants of a cost.
"""

import dataclasses
import functools
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.optimize import nnls

from yolojax import network, pruning
from yolojax.files import Path, read_text, write_json
from yolojax.network import Architecture, Convolutional, Model, with_filters
from yolojax.progress import progress
from yolojax.runtimes.machine import describe_machine
from yolojax.runtimes.program import Program, make_program
from yolojax.runtimes.runtime import Runtime, Session
from yolojax.runtimes.timing import race

NETWORKS = 24  # of random widths; up to four coefficients of each layer are fitted to them
SMALLEST = 0.08  # the least share of a layer's filters in them
CALLS = 10  # of each, for the layers' times
GRIDS = (1, 4, 8, 16)
WORTH = 1.02  # a coarser grid is taken where the finer one takes so many times as long per MAC
MAX_BYTES = 1 << 24


@dataclasses.dataclass(frozen=True)
class LatencyTable:
    """Seconds of each layer of a network, by its widths.

    Attributes:
      layers: {layer: (constant, per input channel, per filter, per product)}.
      whole: (constant, factor) from the sum over the layers to a whole call.
      grid: the multiple of filters that the runtime likes.
      unpruned: a whole call of the network itself, measured.
      where: the runtime and the machine.
      error: the median relative error of whole calls, of networks that the fit has seen.
      correction: by which a whole call of the network in question differs; 1 before anybody measured it.
    """

    layers: Mapping[str, tuple[float, ...]]
    whole: tuple[float, float]
    grid: int
    unpruned: float
    where: str
    error: float
    correction: float = 1.0

    def seconds(self, architecture: Architecture) -> float:
        """A whole call of a network with the same layers."""
        found = {name: float(np.dot(self.layers[name], row)) for name, row in _features(architecture).items()}
        constant, factor = self.whole
        return self.correction * (constant + factor * sum(found.values()))

    def write(self, path: Path) -> None:
        """Writes it as JSON."""
        write_json(path, dataclasses.asdict(self))


def read_table(path: Path) -> LatencyTable:
    """A table that `write` wrote; ValueError for another file."""
    try:
        content = json.loads(read_text(path, MAX_BYTES, "a latency table"))
        layers = {name: tuple(map(float, row)) for name, row in content.pop("layers").items()}
        return LatencyTable(layers=layers, **content | {"whole": tuple(content["whole"])})
    except (TypeError, KeyError, AttributeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path}: {error}, expected a latency table that yolojax wrote; delete it") from None


def measure_latency(architecture: Architecture, runtime: Runtime, *, size: int, seed: int = 0) -> LatencyTable:
    """Runs networks of random widths and fits what their layers take.

    Args:
      architecture: the network.
      runtime: one that tells what each layer takes.
      size: of the images, in pixels.
      seed: of the widths.

    Raises ValueError for a runtime that cannot tell.
    """
    whole, session = _load(architecture, runtime, size)
    if not session.layer_seconds(_images(whole, session), 1):
        raise ValueError(f"the runtime {runtime.name} does not tell what each layer takes, as a latency budget needs")
    grid = _find_grid(architecture, runtime, size)
    rng = np.random.default_rng(seed)
    networks = [architecture] + [_random_widths(architecture, rng, grid) for _ in range(NETWORKS)]
    rows: dict[str, list[tuple[np.ndarray, float]]] = {}
    calls = []
    for one in progress(networks, what=f"latency in {runtime.name}", unit="network"):
        program, session = _load(one, runtime, size)
        images = _images(program, session)
        seconds = session.layer_seconds(images, CALLS)
        features = _features(one)
        for name, row in features.items():
            rows.setdefault(name, []).append((row, seconds.get(name, 0.0)))
        calls.append(race({"": functools.partial(session.run, images)}, rounds=CALLS // 3)[""].median)
    layers = {name: _fit(*zip(*found, strict=True)) for name, found in rows.items()}
    predicted = [sum(float(np.dot(layers[name], row)) for name, row in _features(one).items()) for one in networks]
    constant, factor = _fit([np.array([1.0, each]) for each in predicted], calls)
    errors = np.abs(constant + factor * np.array(predicted) - calls) / calls
    return LatencyTable(
        layers=layers,
        whole=(constant, factor),
        grid=grid,
        unpruned=calls[0],
        where=f"{runtime.version} on {describe_machine()}",
        error=float(np.median(errors)),
    )


def time_networks(
    architectures: Sequence[Architecture], runtime: Runtime, *, size: int, rounds: int = 10
) -> list[float]:
    """The median seconds of a call with one image, of each network, in turns; their values do not matter."""
    calls = {}
    for number, architecture in enumerate(architectures):
        program, session = _load(architecture, runtime, size)
        calls[number] = functools.partial(session.run, _images(program, session))
    return [timing.median for timing in race(calls, rounds=rounds).values()]


def _fit(features: Any, seconds: Any) -> tuple[float, ...]:
    """Coefficients that are not negative and make the squares of the relative errors least."""
    matrix, values = np.asarray(features, np.float64), np.asarray(seconds, np.float64)
    scale = 1 / np.maximum(values, 1e-9 + 0.01 * values.max())
    sizes = np.maximum(matrix.max(axis=0), 1)
    found, _ = nnls(matrix / sizes * scale[:, None], values * scale)
    return tuple(float(value) for value in found / sizes)


def _features(architecture: Architecture) -> dict[str, np.ndarray]:
    """{layer: (1, input channels, output channels, their product)}; the product only where a convolution makes it."""
    found = {}
    for index, layer in enumerate(architecture.layers):
        before = sum(
            architecture.shapes[source].channels if source >= 0 else architecture.net.channels
            for source in architecture.sources(index)
        )
        after = architecture.shapes[index].channels
        product = before * after // layer.groups if isinstance(layer, Convolutional) else 0
        found[architecture.name(index)] = np.array([1.0, before, after, product])
    return found


def _random_widths(architecture: Architecture, rng: np.random.Generator, grid: int) -> Architecture:
    """The same layers, each with a random share of its filters, all shares between one and `SMALLEST` alike likely."""
    typical = np.exp(rng.uniform(np.log(SMALLEST), 0))
    shares = {name: typical ** rng.uniform(0.3, 1.7) for name in _widths(architecture)}
    return _narrowed(architecture, shares, grid)


def _find_grid(architecture: Architecture, runtime: Runtime, size: int) -> int:
    """The smallest multiple of filters beyond which coarser ones gain little, at about half of each width."""
    half = dict.fromkeys(_widths(architecture), 0.5)
    networks = {grid: _narrowed(architecture, half, grid, odd=True) for grid in GRIDS}
    calls, work = {}, {}
    for grid, one in networks.items():
        program, session = _load(one, runtime, size)
        images = _images(program, session)
        calls[grid] = functools.partial(session.run, images)
        work[grid] = pruning.macs(one, size, size)
    rates = {grid: timing.median / work[grid] for grid, timing in race(calls, rounds=CALLS).items()}
    return next(grid for grid in GRIDS if rates[grid] <= WORTH * min(rates.values()))


def _widths(architecture: Architecture) -> dict[str, tuple[int, int]]:
    """{convolution whose filters may go: how many there are, and how many go together}."""
    sizes = pruning.group_sizes(architecture)
    counts = {conv.name: conv.layer.filters for conv in architecture.convolutions}
    return {name: (counts[name], size) for name, size in sizes.items() if size}


def _narrowed(architecture: Architecture, shares: Mapping[str, float], grid: int, *, odd: bool = False) -> Architecture:
    """The network with these shares of its filters, in whole groups and, where layers are wide enough, on the grid.

    With `odd` they are an odd number of steps of the grid, so that they are on no coarser one.
    """
    counts = {}
    for name, (whole, size) in _widths(architecture).items():
        step = size * pruning.grid_unit(whole, size, grid)
        steps = shares[name] * whole / step
        steps = 2 * round((steps - 1) / 2) + 1 if odd else max(1, round(steps))
        counts[name] = min(whole, steps * step)
    return with_filters(architecture, counts)


def _load(architecture: Architecture, runtime: Runtime, size: int) -> tuple[Program, Session]:
    rng = np.random.default_rng(0)
    variables = {
        collection: {
            layer: {name: np.asarray(0.05 * rng.random(shape) + 0.01, np.float32) for name, shape in leaves.items()}
            for layer, leaves in tree.items()
        }
        for collection, tree in network.variable_shapes(architecture).items()
    }
    program = make_program(Model(architecture, variables), size=size)
    return program, runtime.load(program)


def _images(program: Program, session: Session) -> np.ndarray:
    net = program.architecture.net
    return session.arrange(np.full((1, net.height, net.width, net.channels), 0.5, np.float32))
