"""The plots of a study. Pruned networks are dashed, retrained ones solid."""

import pathlib
from collections.abc import Callable, Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from yolojax import training
from yolojax.files import Json
from yolojax.pruning import Sensitivity
from yolojax.reporting import pareto
from yolojax.reporting.entries import Entry
from yolojax.reporting.figures import FIXED_BLACK, FIXED_WHITE, PlainNumbers, save
from yolojax.reporting.report import before_training
from yolojax.studies.rows import Group

COLOURS = {"filter": "tab:blue", "weight": "tab:orange"}


def write(
    groups: Sequence[Group],
    original: Json,
    compared: Sequence[Entry],
    sensitivities: Mapping[str, Sensitivity],
    folder: pathlib.Path,
) -> dict[str, str]:
    """Writes the plots that the finished rows allow; {title: file}."""
    written = {}
    pruned = [group for group in groups if not group.is_control]
    if any(group.amount is None for group in groups):
        pareto.figure(compared, folder / "pareto.svg")
        written[pareto.title(compared)] = "pareto.svg"
    if amounts := [group for group in groups if group.amount]:
        curves(amounts, original, folder / "curves.svg")
        written["mAP against what is left"] = "curves.svg"
    if pruned:
        layers(pruned, folder / "layers.svg")
        written["What share of each layer was dropped"] = "layers.svg"
        if all("macs_left" in layer for group in pruned for layer in group.reports[0]["layers"]):
            macs(pruned, folder / "macs.svg")
            written["Where the MACs are: each layer's, in % of the unpruned network's"] = "macs.svg"
        classes(groups, original, folder / "classes.svg")
        written["AP per class"] = "classes.svg"
    if trained := [group for group in groups if group.trained]:
        retraining(trained, folder / "retraining.svg")
        written["Loss and mAP while retraining (first seed)"] = "retraining.svg"
    for method, result in sensitivities.items():
        sensitivity(result, folder / f"sensitivity_{method}.svg")
        written[f"Sensitivity to dropping {method}s of one layer alone: plot"] = f"sensitivity_{method}.svg"
    return written


def curves(groups: Sequence[Group], original: Json, path: pathlib.Path) -> None:
    """mAP against the share pruned, the parameters left and the MACs left; the rows with amounts, on one axis."""
    figure = Figure(figsize=(12, 4), layout="constrained")
    panels: list[tuple[str, Callable[[Group, Json], float], float]] = [
        ("pruned (%)", lambda group, stage: 100 * (group.amount or 0.0), 0.0),
        ("parameters that are not 0 (M)", lambda group, stage: stage["nonzero"] / 1e6, original["nonzero"] / 1e6),
        ("dense MACs (G)", lambda group, stage: stage["macs"] / 1e9, original["macs"] / 1e9),
    ]
    start = original["evaluation"]["map_11point"]
    for axes, (label, value, at_start) in zip(figure.subplots(1, 3, sharey=True), panels, strict=True):
        for method, colour in COLOURS.items():
            mine = [group for group in groups if group.method == method]
            if not mine:
                continue
            for name, style in (("pruned", "--"), ("retrained", "-")):
                x = [at_start] + [value(group, group.stages("retrained")[0]) for group in mine]
                scores = [[stage["evaluation"]["map_11point"] for stage in group.stages(name)] for group in mine]
                y = [start] + [float(np.mean(found)) for found in scores]
                error = [0.0] + [float(np.std(found, ddof=1)) if len(found) > 1 else 0.0 for found in scores]
                axes.errorbar(x, y, error, color=colour, linestyle=style, marker=".", label=f"{method}s, {name}")
        axes.axhline(start, color="grey", linewidth=0.5)
        axes.set(xlabel=label, ylim=(0, 1))
    figure.axes[0].set(ylabel="mAP (11-point)")
    figure.axes[0].legend(fontsize="small")
    save(figure, path)


def layers(groups: Sequence[Group], path: pathlib.Path) -> None:
    """A heat map: the share of each layer's parameters that went, per row of the tables."""
    names = [layer["name"] for layer in groups[0].reports[0]["layers"]]
    shares = [[100 * layer["sparsity"] for layer in group.reports[0]["layers"]] for group in groups]
    figure = Figure(figsize=(1.5 + 0.5 * len(names), 1.2 + 0.4 * len(groups)), layout="constrained")
    _heat_map(figure, np.array(shares), [_label(group) for group in groups], names, 100, "{:.0f}")
    save(figure, path)


def macs(groups: Sequence[Group], path: pathlib.Path) -> None:
    """A heat map: what each layer takes of the unpruned network's MACs, per row of the tables."""
    unpruned = groups[0].reports[0]["layers"]
    names, total = [layer["name"] for layer in unpruned], sum(layer["macs"] for layer in unpruned)
    found = {"unpruned": [layer["macs"] for layer in unpruned]}
    found |= {_label(group): [layer["macs_left"] for layer in group.reports[0]["layers"]] for group in groups}
    values = 100 * np.array(list(found.values())) / total
    figure = Figure(figsize=(1.5 + 0.5 * len(names), 1.2 + 0.4 * len(found)), layout="constrained")
    _heat_map(figure, values, list(found), names, float(values.max()), "{:.1f}")
    save(figure, path)


def classes(groups: Sequence[Group], original: Json, path: pathlib.Path) -> None:
    """A heat map: AP of each class in the last network of each row."""
    found = {"unpruned": original["evaluation"]["ap_11point"]}
    for group in groups:
        found[_label(group)] = group.stages(group.last)[0]["evaluation"]["ap_11point"]
    names = list(original["evaluation"]["ap_11point"])
    values = [[np.nan if ap[name] is None else 100 * ap[name] for name in names] for ap in found.values()]
    figure = Figure(figsize=(2.5 + 0.6 * len(names), 1.5 + 0.4 * len(found)), layout="constrained")
    _heat_map(figure, np.array(values), list(found), names, 100, "{:.0f}")
    save(figure, path)


def retraining(groups: Sequence[Group], path: pathlib.Path) -> None:
    """Loss and mAP against the step, one line per row; a column for each method, the control in both."""
    methods = [m for m in COLOURS if any(group.method == m and not group.is_control for group in groups)] or [""]
    figure = Figure(figsize=(6 * len(methods), 7), layout="constrained")
    panels = figure.subplots(2, len(methods), sharex=True, sharey="row", squeeze=False)
    for column, method in enumerate(methods):
        mine = [group for group in groups if group.method == method or group.is_control]
        colours = np.linspace(1, 0, max(len(mine), 2))
        for group, shade in zip(mine, colours, strict=False):
            colour = "black" if group.is_control else _viridis(shade)
            lines = training.read_metrics(group.folders[0] / "metrics.jsonl")
            losses = [(line["step"], line["loss"]) for line in lines if "loss" in line]
            scores = [(line["step"], line["map_11point"]) for line in lines if "map_11point" in line]
            maps = {name: stage["evaluation"]["map_11point"] for name, stage in group.reports[0]["stages"].items()}
            before = before_training(group.reports[0]["config"]["prune"], maps)
            scores = [*([] if before is None else [(0, before)]), *scores, (losses[-1][0], maps["retrained"])]
            for row, points in enumerate((losses, scores)):
                panels[row][column].plot(*zip(*points, strict=True), label=_label(group), color=colour)
        panels[0][column].set(title=f"{method}s" if method else "", yscale="log")
        panels[0][column].yaxis.set_major_formatter(PlainNumbers())
        panels[0][column].yaxis.set_minor_formatter(PlainNumbers())
        panels[1][column].set(xlabel="step", ylim=(0, 1))
        panels[0][column].legend(fontsize="small")
    panels[0][0].set(ylabel="loss (per image)")
    panels[1][0].set(ylabel="mAP (11-point)")
    save(figure, path)


def sensitivity(result: Sensitivity, path: pathlib.Path) -> None:
    """mAP against the share dropped of one layer, one line per layer."""
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    amounts = [0.0, *(100 * amount for amount in result["amounts"])]
    for number, (name, layer) in enumerate(result["layers"].items()):
        colour = _viridis(number / max(len(result["layers"]) - 1, 1))
        axes.plot(amounts, [result["original"], *layer["map_11point"]], color=colour, marker=".", label=name)
    axes.set(xlabel=f"{result['method']}s of the layer dropped (%)", ylabel="mAP (11-point)", ylim=(0, 1))
    axes.legend(fontsize="x-small", ncols=1 + len(result["layers"]) // 12, loc="center left", bbox_to_anchor=(1, 0.5))
    save(figure, path)


def _heat_map(
    figure: Figure, values: np.ndarray, rows: Sequence[str], columns: Sequence[str], most: float, text: str
) -> None:
    axes = figure.subplots()
    image = axes.imshow(values, vmin=0, vmax=most, cmap="viridis", aspect="auto")
    axes.set_xticks(range(len(columns)), columns, rotation=90)
    axes.set_yticks(range(len(rows)), rows)
    for (row, column), value in np.ndenumerate(values):
        if not np.isnan(value):
            colour = FIXED_WHITE if value < 0.6 * most else FIXED_BLACK
            axes.text(column, row, text.format(value), ha="center", va="center", color=colour, fontsize="x-small")
    figure.colorbar(image, label="%")


def _viridis(share: float) -> tuple[float, float, float, float]:
    """Of its middle, which can be seen on white and on black."""
    return matplotlib.colormaps["viridis"](0.3 + 0.55 * share)


def _label(group: Group) -> str:
    if group.amount is None:
        return group.name
    return f"{group.method}s {100 * group.amount:g}%" if group.amount else "0%, control"
