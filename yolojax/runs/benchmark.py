"""Networks side by side in the runtimes: what a call takes, against what the MACs promise."""

import dataclasses
import functools
import pathlib
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from absl import logging

from yolojax import pruning, runtimes
from yolojax.files import Path, write_json
from yolojax.reporting import figures, markdown, page
from yolojax.runtimes import Program, Session, Timing

SLOWER = 1.02  # times the first network's milliseconds, from which a network that has fewer MACs is said to be slower
BLAMED = 3  # layers that are named
LAYER_ROUNDS = 10
TEXTS = 2  # columns of the table that are text
HEADER = ("network", "runtime", "batch", "size", "G MACs", "ms", "quartiles", "images/s", "speed-up", "of the ideal")
LAST = "over the first line"


@dataclasses.dataclass(frozen=True)
class Measured:
    """One network in one runtime at one batch size; `first` is the first network's there.

    `layers` has each layer's seconds, where the runtime can tell.
    """

    network: str
    runtime: str
    batch: int
    size: int
    macs: int
    timing: Timing
    layers: dict[str, float]
    first: "Measured | None" = None

    @property
    def speed_up(self) -> float:
        """How many times faster than the first network."""
        return self.first.timing.median / self.timing.median if self.first else 1.0

    @property
    def of_ideal(self) -> float:
        """The speed-up over the one that the MACs promise."""
        return self.speed_up * self.macs / self.first.macs if self.first else 1.0


def benchmark(
    models: Sequence[str],
    out: Path,
    *,
    names: Sequence[str] = (),
    batches: Sequence[int] = (1,),
    threads: int = 0,
    size: int = 0,
    rounds: int = 15,
) -> list[Measured]:
    """Times each network in each runtime, all in turns, and leaves benchmark.json, .md, .html and .svg in `out`.

    Args:
      models: what `runtimes.open_program` takes; the first is the one that the others are compared with.
      out: a folder; it is made where it is missing.
      names: of runtimes; without any, all that are installed and read the network's file.
      batches: images in a call.
      threads: of each runtime; 0 leaves the number to it.
      size: of the images in pixels; 0 for each network's own.
      rounds: turns of each.

    Raises ValueError for no network, a runtime that is unknown or does not read a network, and a size off the grid.
    """
    if not models:
        raise ValueError("no network given; name one with --model, and again for each further one")
    if rounds < 1:
        raise ValueError(f"rounds {rounds}, expected 1 or more")
    programs = {name: runtimes.open_program(model, size=size) for name, model in _labels(models).items()}
    measured = [row for batch in batches for row in _race(programs, names, batch, threads, rounds)]
    folder = pathlib.Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    header, rows = markdown.without_empty((*HEADER, LAST), [_row(row, measured[0]) for row in measured])
    machine = f"{runtimes.describe_machine()}; {_versions({row.runtime for row in measured})}"
    warnings = slower(measured)
    lines = ["# Milliseconds", "", *verdict(measured), f"Medians of calls in turns on {machine}.", ""]
    lines += ["![milliseconds](benchmark.svg)", "", *markdown.table(header, rows, texts=TEXTS), ""]
    lines += [f"- {text}" for text in warnings]
    bars = [(f"{row.network}, {row.runtime}, batch {row.batch}", row.timing) for row in measured]
    figures.milliseconds(bars, folder / "benchmark.svg")
    page.write(folder / "benchmark.md", "\n".join([*lines, *_layer_tables(measured)]))
    write_json(folder / "benchmark.json", {"machine": machine, "rows": [_json(row) for row in measured]})
    print("\n".join([machine, "", *markdown.aligned(header, rows, texts=TEXTS), "", *verdict(measured, mark="")]))
    for text in warnings:
        logging.warning("%s", text)
    print(f"see {folder / 'benchmark.html'}")
    return measured


def parse_batch(text: str) -> int:
    """A batch size from text; ValueError for what is none."""
    if not text.strip().isdigit() or int(text) < 1:
        raise ValueError(f"batch {text!r}, expected whole numbers from 1 on, as in 1,8")
    return int(text)


def verdict(measured: Sequence[Measured], *, mark: str = "**") -> list[str]:
    """How much faster than the first line the fastest other network is, at the same batch; nothing without one."""
    first = measured[0]
    others = [row for row in measured if row.network != first.network and row.batch == first.batch]
    if not others:
        return []
    best = min(others, key=lambda row: row.timing.median)
    ratio = first.timing.median / best.timing.median
    how = f"{ratio:.1f} times as fast as" if ratio >= 1 else f"{1 / ratio:.1f} times slower than"
    ours, theirs = (f"{row.network} in {row.runtime} ({1e3 * row.timing.median:.2f} ms)" for row in (best, first))
    return [f"{mark}{ours} is {how} {theirs}.{mark}", ""]


def slower(measured: Iterable[Measured]) -> list[str]:
    """A sentence about each network that has fewer MACs than the first and is slower, with the layers to blame."""
    found = []
    for row in measured:
        if row.first and row.macs < row.first.macs and row.timing.median > SLOWER * row.first.timing.median:
            text = (
                f"{row.network} is slower than {row.first.network} in {row.runtime} at batch {row.batch}, "
                f"{1e3 * row.timing.median:.2f} ms in place of {1e3 * row.first.timing.median:.2f}, with "
                f"{row.macs / row.first.macs:.0%} of its MACs"
            )
            found.append(text + _blame(row.first.layers, row.layers))
    return found


def _blame(first: Mapping[str, float], layers: Mapping[str, float]) -> str:
    worse = {name: seconds - first[name] for name, seconds in layers.items() if name in first}
    order = [name for name in sorted(worse, key=worse.__getitem__, reverse=True) if worse[name] > 0][:BLAMED]
    return (
        "; slower layers: "
        + ", ".join(f"{name} ({1e3 * first[name]:.2f} -> {1e3 * layers[name]:.2f} ms)" for name in order)
        if order
        else ""
    )


def _race(
    programs: Mapping[str, Program], names: Sequence[str], batch: int, threads: int, rounds: int
) -> list[Measured]:
    """All networks in all runtimes at one batch size, in turns."""
    sessions: dict[tuple[str, str], tuple[Session, np.ndarray]] = {}
    for label, program in programs.items():
        for runtime in _runtimes(program, names):
            session = runtime.load(program, batch=batch, threads=threads)
            net = program.architecture.net
            images = np.random.default_rng(0).random((batch, net.height, net.width, net.channels), np.float32)
            sessions[label, runtime.name] = session, session.arrange(images)
    timings = runtimes.race({key: _call(*loaded) for key, loaded in sessions.items()}, rounds=rounds)
    first: dict[str, Measured] = {}
    found = []
    for (label, name), (session, arranged) in sessions.items():
        program = programs[label]
        row = Measured(
            network=label,
            runtime=name,
            batch=batch,
            size=program.size,
            macs=pruning.macs(program.architecture),
            timing=timings[label, name],
            layers=session.layer_seconds(arranged, LAYER_ROUNDS),
            first=first.get(name),
        )
        first.setdefault(name, row)
        found.append(row)
    return found


def _call(session: Session, arranged: np.ndarray) -> functools.partial[np.ndarray]:
    return functools.partial(session.run, arranged)


def _runtimes(program: Program, names: Sequence[str]) -> list[runtimes.Runtime]:
    if names:
        return [runtimes.choose(name, program) for name in names]
    return [one for one in runtimes.RUNTIMES.values() if one.installed and program.kind in one.reads]


def _labels(models: Sequence[str]) -> dict[str, str]:
    """{a short name: path}: the last part of a path that tells it from the others."""
    labels: dict[str, str] = {}
    for model in models:
        path = pathlib.Path(model)
        short = path.parent.name if path.name == "model.weights" else path.name
        if not short or short in labels:
            short = model
        if model in labels.values():
            raise ValueError(f"{model} is given twice")
        labels[short] = model
    return labels


def _versions(names: Iterable[str]) -> str:
    return ", ".join(runtime.version for name, runtime in runtimes.RUNTIMES.items() if name in names)


def _row(row: Measured, top: Measured) -> list[str]:
    low, high = 1e3 * row.timing.low, 1e3 * row.timing.high
    return [
        row.network,
        row.runtime,
        str(row.batch),
        str(row.size),
        f"{row.macs / 1e9:.3f}",
        f"{1e3 * row.timing.median:.2f}",
        f"{low:.2f} to {high:.2f}",
        f"{row.batch / row.timing.median:.1f}",
        f"{row.speed_up:.2f}" if row.first else "-",
        f"{row.of_ideal:.0%}" if row.first else "-",
        f"{top.timing.median / top.batch / row.timing.median * row.batch:.2f}",
    ]


def _layer_tables(measured: Sequence[Measured]) -> list[str]:
    """Milliseconds of each layer, a table for each runtime that can tell, at the first batch size."""
    lines: list[str] = []
    for runtime in dict.fromkeys(row.runtime for row in measured if row.layers):
        rows = [row for row in measured if row.runtime == runtime and row.batch == measured[0].batch]
        layers = dict.fromkeys(name for row in rows for name in row.layers)
        cells = [[name, *(_milliseconds(row.layers.get(name)) for row in rows)] for name in layers]
        lines += ["", f"## Layers in {runtime}, ms", "", *markdown.table(["layer", *(r.network for r in rows)], cells)]
    return [*lines, ""]


def _milliseconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{1e3 * seconds:.3f}"


def _json(row: Measured) -> dict[str, object]:
    fields = {field.name: getattr(row, field.name) for field in dataclasses.fields(row) if field.name != "first"}
    return {**fields, "timing": dataclasses.asdict(row.timing), "speed_up": row.speed_up, "of_ideal": row.of_ideal}
