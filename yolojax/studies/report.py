"""The study's report: study.json, study.md and study.html."""

import importlib.resources
import json
import pathlib
import statistics
from collections.abc import Callable, Mapping, Sequence

from yolojax import data
from yolojax.files import Json, write_json, write_text
from yolojax.reporting import markdown, pictures
from yolojax.reporting.report import megabytes
from yolojax.settings import Settings
from yolojax.studies import figures as study_figures
from yolojax.studies.rows import Group, Row, group_rows
from yolojax.studies.sensitivity import SensitivityResult

TITLES = {"filter": "Filters", "weight": "Weights"}


def write(
    settings: Settings,
    original: Json,
    rows: Sequence[Row],
    eval_set: data.Dataset,
    folder: pathlib.Path,
) -> None:
    """Writes the report about the `rows` that are done.

    Args:
      settings: the study's.
      original: the unpruned network's stage, as in a row's report.json, with its `samples`.
      rows: each has its result in a folder of its name.
      eval_set: for the pictures.
      folder: the study's workdir. Where it holds a conclusion.md, that goes under the tables.
    """
    groups = group_rows(rows, folder)
    sensitivities = {
        row.method: json.loads((folder / row.name / row.result).read_text()) for row in rows if row.amount is None
    }
    figures = study_figures.write(groups, original, sensitivities, folder)
    figures |= _write_pictures(settings, groups, original, eval_set, folder)
    text = to_markdown(settings, original, groups, sensitivities, figures, _conclusion(folder))
    content = {"config": settings.to_json(), "original": original, "published": published()}
    content["rows"] = {group.name: [_without_layers(report) for report in group.reports] for group in groups}
    write_json(folder / "study.json", content)
    for name, page in (("study.md", text), ("study.html", markdown.to_html(text, folder))):
        write_text(folder / name, page)


def published() -> Json:
    """The numbers that the original study published."""
    return json.loads((importlib.resources.files("yolojax.studies") / "published.json").read_text())


def to_markdown(
    settings: Settings,
    original: Json,
    groups: Sequence[Group],
    sensitivities: Mapping[str, SensitivityResult],
    figures: Mapping[str, str],
    conclusion: str,
) -> str:
    """The report as a page; `figures` are {title: file}."""
    seeds = (
        f"{len(settings.study.seeds)} seeds, mean ± standard deviation" if len(settings.study.seeds) > 1 else "one seed"
    )
    train = settings.train
    steps = f"{train.steps} steps" if train.steps else f"{train.epochs} epochs"
    measured_on = groups[0].reports[0]["eval_set"] if groups else settings.data.source
    lines = [
        "# Pruning a detector: weights against filters",
        "",
        f"- Data: {measured_on}; network: `{settings.model.start}`.",
        f"- Retraining: {steps}, batch {train.batch_size}, {train.optimizer}, learning rate {train.learning_rate} "
        f"({train.schedule}); {seeds}.",
        f"- mAP: 11-point, {original['evaluation']['protocol_text']}; the columns at .25 count only detections of "
        "confidence ≥ 0.25.",
        f"- Published: {published()['source']}. Another network on other data, unless this is VOC2007.",
        "- Compressed MB: the retrained network, lossless. The original compressed its weight rows.",
        "- Row 0 is the unpruned network; retrained alike it shows what retraining alone brings.",
        "",
    ]
    for method, title in TITLES.items():
        lines += [f"## {title}", "", *result_table(method, original, groups), ""]
    lines += [conclusion, ""] if conclusion else []
    for title, file in figures.items():
        lines += [f"## {title}", "", f"![{title}]({file})", ""]
    for method, result in sensitivities.items():
        lines += [f"## Sensitivity to dropping {method}s of one layer alone", "", *sensitivity_table(result), ""]
    return "\n".join(lines)


def result_table(method: str, original: Json, groups: Sequence[Group]) -> list[str]:
    """The original's columns, and more; the published numbers beside each row."""
    counted = ["parameters", "the original's count"] if method == "filter" else ["parameters not 0"]
    header = [
        f"{method}s pruned %",
        *counted,
        "dense MB",
        "compressed MB",
        "MACs",
        "mAP pruned",
        "retrained",
        "of unpruned",
    ]
    header += ["pruned at .25", "retrained at .25"]
    header += [f"published {name}" for name in ("params", "MB", "pruned", "retrained")]
    control = next((group for group in groups if group.name == "control"), None)
    rows = [_result_row(method, 0.0, original, control)]
    for group in groups:
        if group.method == method and group.name != "control":
            rows.append(_result_row(method, group.amount, original, group))
    return markdown.table(header, rows)


def _result_row(method: str, amount: float, original: Json, group: Group | None) -> list[str]:
    known = {round(row["amount"], 6): row for row in published()[method]}.get(round(amount, 6))
    pruned = group.stages("pruned")[0] if group else original
    after = group.stages("retrained")[0] if group else original

    def retrained(value: Callable[[Json], float]) -> str:
        return spread([value(stage) for stage in group.stages("retrained")]) if group else "-"

    unpruned = original["evaluation"]["map_11point"]
    if method == "filter":
        masked = group.reports[0]["masked_filter_parameters"] if group else original["parameters"]
        counted = [f"{after['parameters']:,}", f"{masked:,}"]
    else:
        counted = [f"{pruned['nonzero']:,}"]
    return [
        f"{100 * amount:g}",
        *counted,
        f"{after['weights_bytes'] / 1e6:.1f}",
        megabytes(after["compressed_bytes"]),
        f"{after['macs'] / 1e9:.2f} G",
        f"{pruned['evaluation']['map_11point']:.4f}",
        retrained(lambda stage: stage["evaluation"]["map_11point"]),
        retrained(lambda stage: stage["evaluation"]["map_11point"] / unpruned if unpruned else 0.0),
        f"{pruned['evaluation']['map_11point_at_025']:.4f}",
        retrained(lambda stage: stage["evaluation"]["map_11point_at_025"]),
        *(
            [f"{known['parameters']:,}", f"{known['megabytes']}", f"{known['pruned']:.4f}", f"{known['retrained']:.4f}"]
            if known
            else ["-"] * 4
        ),
    ]


def spread(values: Sequence[float]) -> str:
    """The mean, with the standard deviation where there are several."""
    mean = f"{statistics.fmean(values):.4f}"
    return f"{mean} ± {statistics.stdev(values):.4f}" if len(values) > 1 else mean


def sensitivity_table(result: SensitivityResult) -> list[str]:
    """mAP per layer and amount."""
    header = ["layer", result["method"] + "s", *(f"{amount:.0%}" for amount in result["amounts"])]
    rows = [
        [name, f"{layer['size']:,}", *(f"{score:.4f}" for score in layer["map_11point"])]
        for name, layer in result["layers"].items()
    ]
    what = f"mAP (11-point) on {result['data']}; without pruning it is {result['original']:.4f}."
    return [what, "", *markdown.table(header, rows)]


def _write_pictures(
    settings: Settings,
    groups: Sequence[Group],
    original: Json,
    eval_set: data.Dataset,
    folder: pathlib.Path,
) -> dict[str, str]:
    """The same pictures with what each pruned network finds, before and after retraining."""
    written = {}
    for method, title in TITLES.items():
        for stage in ("pruned", "retrained"):
            gallery = pictures.Gallery(eval_set, settings.eval.pictures, height=140)
            gallery.add("0%", original["samples"])
            for group in groups:
                if group.method == method and group.name != "control":
                    gallery.add(f"{100 * group.amount:g}% {stage}", group.samples[stage])
            name = f"pictures_{method}_{stage}.jpg"
            gallery.save(folder / name)
            written[f"{title} {stage}: what the networks find (confidence ≥ 0.25)"] = name
    return written


def _conclusion(folder: pathlib.Path) -> str:
    path = folder / "conclusion.md"
    return path.read_text().strip() if path.exists() else ""


def _without_layers(report: Json) -> Json:
    return {name: value for name, value in report.items() if name not in ("layers", "config")}
