"""The plots of a report."""

import io
import pathlib
from collections.abc import Mapping, Sequence

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter

from yolojax import pruning, training
from yolojax.files import write_text
from yolojax.runtimes import Timing

# On a dark screen, black and white of matplotlib's own turn around; what has another colour keeps it.
DARK = """@media (prefers-color-scheme: dark) {
  svg { fill: #d5dade }
  [style*="stroke: #000000"] { stroke: #d5dade !important }
  [style*="fill: #ffffff"] { fill: #16191d !important }
}"""
FIXED_BLACK, FIXED_WHITE = "#010101", "#fefefe"  # ink on a colour that stays
NOT_TERMS = ("step", "learning_rate", "images_per_second", "data_wait_share")


class PlainNumbers(LogFormatter):
    """For a logarithmic axis: numbers as 0.15; between powers of ten only where few of those are in view."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        return f"{x:g}" if super().__call__(x, pos) else ""


def layers(
    rows: Sequence[pruning.LayerRow],
    path: pathlib.Path,
    *,
    seconds: Sequence[Mapping[str, float]] = (),
) -> None:
    """What each layer costs, and what is left of it: MACs, milliseconds where they are known, parameters.

    `seconds` has those of each layer, in the unpruned network and, where it is another one, in what is left.
    """
    names = [row.name for row in rows]
    panels = [("MACs (M)", [row.macs / 1e6 for row in rows], [row.macs_left / 1e6 for row in rows])]
    if seconds:
        before, after = ([1e3 * one.get(name, 0.0) for name in names] for one in (seconds[0], seconds[-1]))
        panels.append(("ms", before, after))
    panels.append(("parameters (k)", [row.parameters / 1e3 for row in rows], [row.nonzeros / 1e3 for row in rows]))
    figure = Figure(figsize=(max(7.0, 1 + 0.42 * len(rows)), 0.6 + 1.8 * len(panels)), layout="constrained")
    stacked = figure.subplots(len(panels), 1, sharex=True)
    for axes, (label, before, after) in zip(stacked, panels, strict=True):
        if before != after:
            axes.bar(names, before, color="tab:blue", alpha=0.35, label="before")
        axes.bar(names, after, color="tab:blue", label="left")
        axes.set(ylabel=label)
        axes.grid(axis="y", alpha=0.3)
        axes.set_axisbelow(True)
    stacked[-1].tick_params(axis="x", rotation=90)
    if any(before != after for _, before, after in panels):
        handles = next(axes.get_legend_handles_labels() for axes in stacked if len(axes.containers) > 1)
        figure.legend(*handles, loc="outside upper right", ncols=2, frameon=False)
    save(figure, path)


def curves(
    metrics: pathlib.Path,
    path: pathlib.Path,
    *,
    quantity: str = "mAP",
    unpruned: float | None = None,
    before: float | None = None,
    after: float | None = None,
) -> None:
    """The loss and its terms over the steps, from a metrics.jsonl, and the mAP where more than one is known.

    `unpruned` is a line to compare with; `before` and `after` are the mAP of the network that the training began with,
    and of the one that it ended with.
    """
    lines = training.read_metrics(metrics)
    losses = [line for line in lines if "loss" in line]
    steps = [line["step"] for line in losses]
    scores = [(line["step"], line["map_11point"]) for line in lines if "map_11point" in line]
    if before is not None:
        scores.insert(0, (0, before))
    if after is not None and steps and steps[-1] not in [step for step, _ in scores]:
        scores.append((steps[-1], after))
    both = len(scores) > 1
    figure = Figure(figsize=(7, 5.6 if both else 3.2), layout="constrained")
    panels = figure.subplots(1 + both, 1, sharex=True, squeeze=False)[:, 0]
    for name in sorted(set(losses[0]) - set(NOT_TERMS), key=lambda name: (name != "loss", name)):
        values = [line[name] for line in losses]
        if any(values):  # the prior's term is there for the first images only; a logarithm has no 0
            panels[0].plot(steps, values, label=name, linewidth=2 if name == "loss" else 1)
    panels[0].set(ylabel="loss (per image)", yscale="log")
    panels[0].yaxis.set_major_formatter(PlainNumbers())
    panels[0].yaxis.set_minor_formatter(PlainNumbers())
    panels[0].legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    if both:
        panels[1].plot(*zip(*scores, strict=True), marker=".", label="at the step")
        if unpruned is not None:
            panels[1].axhline(unpruned, color="grey", linestyle="--", linewidth=1, label="unpruned")
            panels[1].legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
        panels[1].set(ylabel=f"{quantity} (11-point)", ylim=(0, 1))
    for axes in panels:
        axes.grid(alpha=0.3)
    panels[-1].set(xlabel="step")
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
    """Writes the figure as SVG, whole or not at all, dark on a dark screen; the same figure gives the same bytes."""
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "yolojax"}):
        figure.savefig(buffer, format="svg", dpi=110, metadata={"Date": None})
    write_text(path, buffer.getvalue().replace("</style>", f"\n{DARK}\n</style>", 1))
