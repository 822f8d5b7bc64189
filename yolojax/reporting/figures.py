"""The plots of a report."""

import pathlib
from collections.abc import Sequence

from matplotlib.figure import Figure

from yolojax import pruning, training
from yolojax.files import replacing
from yolojax.runtimes import Timing


def layers(rows: Sequence[pruning.LayerRow], path: pathlib.Path) -> None:
    """What share of each layer's parameters is zero after pruning."""
    figure = Figure(figsize=(8, 3.5), layout="constrained")
    axes = figure.subplots()
    axes.bar([row.name for row in rows], [100 * row.sparsity for row in rows], color="tab:blue")
    axes.set(ylabel="parameters dropped (%)", ylim=(0, 100))
    axes.tick_params(axis="x", rotation=90)
    save(figure, path)


def loss(metrics: pathlib.Path, path: pathlib.Path) -> None:
    """The training loss and its terms, from a metrics.jsonl."""
    lines = [line for line in training.read_metrics(metrics) if "loss" in line]
    figure = Figure(figsize=(8, 3.5), layout="constrained")
    axes = figure.subplots()
    steps = [line["step"] for line in lines]
    other = ("step", "learning_rate", "images_per_second", "data_wait_share")
    for name in sorted(set(lines[0]) - set(other), key=lambda name: (name != "loss", name)):
        values = [line[name] for line in lines]
        if any(values):  # the prior's term is there for the first images only; a logarithm has no 0
            axes.plot(steps, values, label=name, linewidth=2 if name == "loss" else 1)
    axes.set(xlabel="step", ylabel="loss (per image)", yscale="log")
    figure.legend(loc="outside right upper")
    save(figure, path)


def milliseconds(rows: Sequence[tuple[str, Timing]], path: pathlib.Path) -> None:
    """A bar for each timing, with its quartiles; the first is on top."""
    figure = Figure(figsize=(8, 1 + 0.3 * len(rows)), layout="constrained")
    axes = figure.subplots()
    medians = [1e3 * timing.median for _, timing in rows]
    errors = [[1e3 * (t.median - t.low) for _, t in rows], [1e3 * (t.high - t.median) for _, t in rows]]
    bars = axes.barh([name for name, _ in rows], medians, xerr=errors, color="tab:blue", ecolor="grey")
    axes.bar_label(bars, [f"{value:.2f}" for value in medians], padding=4, fontsize="small")
    axes.set(xlabel="ms per call")
    axes.invert_yaxis()
    axes.margins(x=0.12)
    save(figure, path)


def save(figure: Figure, path: pathlib.Path) -> None:
    """Writes the figure as PNG, whole or not at all."""
    with replacing(path) as beside:
        figure.savefig(beside, format="png", dpi=110)
