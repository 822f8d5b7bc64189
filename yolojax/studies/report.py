"""The study's report: study.json, study.md and study.html."""

import importlib.resources
import json
import pathlib
import statistics
from collections.abc import Callable, Mapping, Sequence

from absl import logging

from yolojax import data
from yolojax.files import Json, write_json
from yolojax.reporting import comparison, entries, markdown, page, pictures
from yolojax.reporting.entries import Entry
from yolojax.reporting.report import has_pictures
from yolojax.reporting.stages import megabytes
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
) -> list[str]:
    """Writes the report about the `rows` that are done; the lines of a short table for the terminal.

    Args:
      settings: the study's.
      original: the unpruned network's stage, as in a row's report.json, with its `samples`.
      rows: each has its result in a folder of its name.
      eval_set: for the pictures.
      folder: the study's workdir. Where it holds a conclusion.md, that goes under the tables.
    """
    groups = group_rows(rows, folder)
    sensitivities = {
        row.method: json.loads((folder / row.name / row.result).read_text())
        for row in rows
        if row.is_sensitivity and row.method
    }
    compared = compare(groups)
    figures = study_figures.write(groups, original, compared, sensitivities, folder)
    figures |= _write_pictures(settings, groups, original, eval_set, folder)
    text = to_markdown(settings, original, groups, compared, sensitivities, figures, _conclusion(folder))
    content: Json = {"config": settings.to_json(), "original": original}
    if is_published(settings):
        content["published"] = published()
    content["rows"] = {group.name: [_without_layers(report) for report in group.reports] for group in groups}
    write_json(folder / "study.json", content)
    page.write(folder / "study.md", text)
    return comparison.short_table(compared) if compared else []


def compare(groups: Sequence[Group]) -> list[Entry]:
    """A row for each group, the mean over its seeds, and the unpruned network, in the order of a comparison.

    Shares are of the unpruned network, as it was or trained on, whichever is best.
    """
    found = {
        group.name: entries.average(
            [entries.read_run(folder, name=group.name)[-1] for folder in group.folders], name=group.name
        )
        for group in groups
    }
    unpruned = [entry.unpruned for entry in found.values() if entry.unpruned][:1]
    controls = [found[group.name] for group in groups if group.is_control and group.trained]
    rows: Sequence[Entry] = [*unpruned, *found.values()]
    for reference in sorted([*unpruned, *controls], key=lambda entry: entry.map_11point)[-1:]:
        rows = comparison.against(rows, reference)
    return comparison.in_order(rows)


def is_published(settings: Settings) -> bool:
    """Whether the original study published numbers for these data."""
    return settings.data.source in ("voc2007", "voc0712") and settings.data.eval_split == "test"


def published() -> Json:
    """The numbers that the original study published."""
    return json.loads((importlib.resources.files("yolojax.studies") / "published.json").read_text())


def to_markdown(
    settings: Settings,
    original: Json,
    groups: Sequence[Group],
    compared: Sequence[Entry],
    sensitivities: Mapping[str, SensitivityResult],
    figures: Mapping[str, str],
    conclusion: str,
) -> str:
    """The report as a page; `figures` are {title: file}."""
    train = settings.train
    steps = f"{train.steps} steps" if train.steps else f"{train.epochs} epochs"
    measured_on = groups[0].reports[0]["eval_set"] if groups else settings.data.source
    known = published() if is_published(settings) else None
    lines = [
        "# Pruning a detector" + ("" if settings.study.rows else ": weights against filters"),
        "",
        *comparison.verdict(compared),
        f"- Data: {measured_on}; network: `{settings.model.start}`.",
        f"- Retraining, where a row does not say otherwise: {steps}, batch {train.batch_size}, {train.optimizer}, "
        f"learning rate {train.learning_rate} ({train.schedule}); {count_seeds(groups)}.",
        f"- mAP: 11-point, {original['evaluation']['protocol_text']}.",
        *(f"- {line}." for line in comparison.shares_of(compared)),
        "",
    ]
    if compared:
        lines += ["## All rows", "", *comparison.page_table(compared), ""]
    for method, title in TITLES.items():
        if any(group.method == method and group.amount for group in groups):
            lines += [f"## {title}", "", *result_notes(known), "", *result_table(method, original, groups, known), ""]
    lines += [conclusion, ""] if conclusion else []
    for title, file in figures.items():
        lines += [f"## {title}", "", f"![{title}]({file})", ""]
    for method, result in sensitivities.items():
        lines += [f"## Sensitivity to dropping {method}s of one layer alone", "", *sensitivity_table(result), ""]
    return "\n".join(lines)


def result_notes(known: Json | None) -> list[str]:
    """What is to be known of a `result_table`."""
    return [
        "- The columns at .25 count only detections of confidence ≥ 0.25.",
        "- Compressed MB: the retrained network, lossless. The original compressed its weight rows.",
        "- Row 0 is the unpruned network; retrained alike it shows what retraining alone brings.",
        *([f"- Published: {known['source']}."] if known else []),
    ]


def result_table(method: str, original: Json, groups: Sequence[Group], known: Json | None) -> list[str]:
    """The original's columns, and more, for the rows that drop an amount; the published numbers beside each row."""
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
    numbers = {round(row["amount"], 6): row for row in known[method]} if known else {}
    control = next((group for group in groups if group.name == "control" and group.amount is not None), None)
    rows = [_result_row(method, 0.0, original, control, numbers)]
    for group in groups:
        if group.method == method and group.amount:
            rows.append(_result_row(method, group.amount, original, group, numbers))
    return markdown.table(*markdown.without_empty(header, rows))


def _result_row(
    method: str, amount: float, original: Json, group: Group | None, numbers: Mapping[float, Json]
) -> list[str]:
    known = numbers.get(round(amount, 6))
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


def count_seeds(groups: Sequence[Group]) -> str:
    """Of how many trainings the rows are the mean."""
    counts = sorted({len(group.folders) for group in groups if group.trained}) or [1]
    if counts == [1]:
        return "one seed"
    several = " or ".join(str(count) for count in counts if count > 1)
    return f"{several} seeds, mean ± standard deviation{', one where there is no ±' if 1 in counts else ''}"


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
    repaired = ", repaired" if result.get("repair") else ""
    what = f"mAP (11-point{repaired}) on {result['data']}; without pruning it is {result['original']:.4f}."
    return [what, "", *markdown.table(header, rows)]


def _write_pictures(
    settings: Settings,
    groups: Sequence[Group],
    original: Json,
    eval_set: data.Dataset,
    folder: pathlib.Path,
) -> dict[str, str]:
    """The same pictures with what each pruned network finds; of the amounts before and after retraining."""
    if not has_pictures(settings):
        return {}
    columns = {}
    groups = [group for group in groups if _has_the_same_pictures(group, len(original["samples"]))]
    for method, title in TITLES.items():
        mine = [group for group in groups if group.method == method and group.amount]
        for stage in ("pruned", "retrained"):
            captions = [(f"{100 * (group.amount or 0):g}% {stage}", group, stage) for group in mine]
            columns[f"{title} {stage}", f"pictures_{method}_{stage}.jpg"] = captions
    named = [(group.name, group, group.last) for group in groups if group.amount is None]
    columns["The rows' last networks", "pictures_rows.jpg"] = named
    written = {}
    for (title, name), captions in columns.items():
        if captions:
            gallery = pictures.Gallery(eval_set, settings.eval.pictures, height=140)
            gallery.add("unpruned", original["samples"], note=_note(original))
            for caption, group, stage in captions:
                gallery.add(caption, group.samples[stage], note=_note(group.stages(stage)[0]))
            gallery.save(folder / name)
            written[f"{title}: what the networks find (confidence ≥ 0.25)"] = name
    return written


def _has_the_same_pictures(group: Group, count: int) -> bool:
    """Whether a row has as many pictures as the others, and so the same ones."""
    if len(group.samples[group.last]) == count:
        return True
    logging.warning(
        "%s was run with another eval.pictures and is not in the pictures; they are %d now", group.name, count
    )
    return False


def _note(stage: Json) -> str:
    """What stands over its pictures, which are of the first seed."""
    return f"mAP {stage['evaluation']['map_11point']:.3f}"


def _conclusion(folder: pathlib.Path) -> str:
    path = folder / "conclusion.md"
    return path.read_text().strip() if path.exists() else ""


def _without_layers(report: Json) -> Json:
    return {name: value for name, value in report.items() if name not in ("layers", "config")}
