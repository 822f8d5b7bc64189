"""Which networks are worth their cost: those that no other one beats, and the figure of them."""

import pathlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Annotation

from yolojax.detection.label_places import Rectangle, place_labels
from yolojax.reporting.entries import Entry
from yolojax.reporting.figures import PlainNumbers, save

POINTS = 72  # in an inch
MARKER = 4  # pixels from the middle of a point to its rim


class Cost(NamedTuple):
    """Something that a network should have little of: its name, what an axis says, its unit, and how much there is."""

    name: str
    axis: str
    unit: float
    of: Callable[[Entry], float]


def costs(entries: Sequence[Entry]) -> tuple[Cost, ...]:
    """MACs, bytes, and milliseconds where all entries were timed in one runtime on one machine.

    Bytes are those of the compressed files where each entry knows its own, else of the .weights files.
    """
    size = Cost("bytes", ".weights MB", 1e6, lambda entry: entry.weights_bytes)
    if all(entry.compressed_bytes is not None for entry in entries):
        size = Cost("bytes", "compressed MB", 1e6, lambda entry: entry.compressed_bytes or 0)
    found = (Cost("MACs", "MACs (G)", 1e9, lambda entry: entry.macs), size)
    if not all(entry.milliseconds for entry in entries) or len({entry.where for entry in entries}) > 1:
        return found
    return (*found, Cost("ms", f"ms, {entries[0].where}", 1, lambda entry: entry.milliseconds or 0))


def title(entries: Sequence[Entry]) -> str:
    """What the figure shows."""
    *first, last = [cost.name for cost in costs(entries)]
    return f"{entries[0].quantity} against {', '.join(first)} and {last}"


def dominated(entries: Sequence[Entry], cost: Callable[[Entry], float]) -> tuple[bool, ...]:
    """For each entry whether another has at least its mAP (11-point) at no more cost, and is better in one of them.

    The others are the Pareto front. Of several equal ones all are on it.
    """
    points = [(entry.map_11point, -cost(entry)) for entry in entries]
    return tuple(
        any(other != point and other[0] >= point[0] and other[1] >= point[1] for other in points) for point in points
    )


def figure(entries: Sequence[Entry], path: pathlib.Path) -> None:
    """mAP against each cost, on a logarithmic axis; what is dominated is grey, the front joined."""
    shown = costs(entries)
    drawing = Figure(figsize=(4.6 * len(shown), 4.2), layout="constrained")
    panels = drawing.subplots(1, len(shown), sharey=True)
    texts = [_panel(axes, entries, cost) for axes, cost in zip(panels, shown, strict=True)]
    panels[0].set(ylabel=f"{entries[0].quantity} (11-point)")
    drawing.draw_without_rendering()  # from here on it is known where things are
    for axes, labels in zip(panels, texts, strict=True):
        _spread(axes, labels, drawing.dpi)
    save(drawing, path)


def _panel(axes: Axes, entries: Sequence[Entry], cost: Cost) -> list[Annotation]:
    """Draws the points and the front; the labels, those of the front first."""
    front: list[Annotation] = []
    rest: list[Annotation] = []
    for entry, beaten in zip(entries, dominated(entries, cost.of), strict=True):
        at, colour = (cost.of(entry) / cost.unit, entry.map_11point), "grey" if beaten else "tab:blue"
        axes.errorbar(
            *at, entry.spread or 0.0, marker="o", color=colour, alpha=0.5 if beaten else 1, zorder=1 if beaten else 3
        )
        size, shade = ("x-small", "grey") if beaten else ("small", "black")
        text = axes.annotate(label(entry), at, (0, 0), textcoords="offset points", va="top", fontsize=size, color=shade)
        (rest if beaten else front).append(text)
    axes.plot(*zip(*sorted(text.xy for text in front), strict=True), color="tab:blue", linewidth=1, zorder=2)
    axes.set(xlabel=cost.axis, xscale="log")
    axes.xaxis.set_major_formatter(PlainNumbers())
    axes.xaxis.set_minor_formatter(PlainNumbers())
    axes.margins(x=0.12, y=0.1)
    axes.grid(alpha=0.3)
    return [*front, *rest]


def _spread(axes: Axes, texts: Sequence[Annotation], dpi: float) -> None:
    """Moves the labels to where they cover neither each other nor a point; the first choose first."""
    frame, point = axes.get_window_extent(), POINTS / dpi
    points = [axes.transData.transform(text.xy) for text in texts]
    markers = [  # from the upper left corner, as in a picture
        Rectangle(round(x - MARKER), round(y - MARKER), round(x + MARKER), round(y + MARKER))
        for x, y in ((x - frame.x0, frame.y1 - y) for x, y in points)
    ]
    extents = [text.get_window_extent() for text in texts]
    sizes = [(round(extent.width) + 2, round(extent.height) + 2) for extent in extents]
    places = place_labels(markers, sizes, int(frame.width), int(frame.height), taken=markers)
    for text, place, (x, y) in zip(texts, places, points, strict=True):
        text.set_position((point * (frame.x0 + place.left + 1 - x), point * (frame.y1 - place.top - 1 - y)))


def label(entry: Entry) -> str:
    """The run's name, with the stage where that is not what a run ends with."""
    return entry.name if entry.stage in ("original", "trained", "retrained") else f"{entry.name} ({entry.stage})"
