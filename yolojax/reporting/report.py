"""The report of a pruning run: report.json for machines; report.html and report.md with its pictures for people."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence

from yolojax import data, pruning, training
from yolojax.files import Json, write_json
from yolojax.reporting import figures, page, pictures, stages
from yolojax.reporting.stages import Stage, is_agreement
from yolojax.settings import PruneSettings, Settings

PICTURES = '![what the networks find](pictures.jpg "Found at confidence 0.25 or more.")'
LAYERS = '![what the layers cost](layers.svg "Pale: the unpruned network. Full: what is left of it.")'
ENOUGH = 0.9  # of the mAP; a network that keeps less is worth a training


@dataclasses.dataclass(frozen=True)
class Latency:
    """Seconds of a call: what the budget allows, what the table first promised, what was measured, and where."""

    target: float
    promised: float
    measured: float
    where: str


@dataclasses.dataclass(frozen=True)
class Report:
    """Everything that a pruning run measured.

    `off_grid` has the parameters and MACs that it would have without `round_to`, None where that is 1. The seconds are
    None for a run that was resumed. `latency` is there for a budget of time.
    """

    settings: Settings
    train_set: str
    eval_set: str
    stages: Sequence[Stage]
    layers: Sequence[pruning.LayerRow]
    masked_filter_parameters: int
    off_grid: dict[str, int] | None
    latency: Latency | None
    retrain_steps: int
    retrain_seconds: float | None
    total_seconds: float | None


def write(report: Report, eval_set: data.Dataset, workdir: pathlib.Path) -> None:
    """Writes report.md, report.html and their pictures, samples.json and, last of all, report.json."""
    if has_pictures(report.settings):
        gallery = pictures.Gallery(eval_set, report.settings.eval.pictures)
        for stage in report.stages:
            gallery.add(stage.name, stage.samples, note=stage.note)
        gallery.save(workdir / "pictures.jpg")
    figures.layers(report.layers, workdir / "layers.svg", seconds=stages.layer_seconds(report.stages))
    if not report.settings.train.nothing:
        found = {stage.name: stage.evaluation.map_11point for stage in report.stages}
        figures.curves(
            workdir / "metrics.jsonl",
            workdir / "curves.svg",
            quantity=report.stages[0].evaluation.protocol.quantity,
            unpruned=found["original"],
            before=before_training(report.settings.to_json()["prune"], found),
            after=found["retrained"],
        )
    page.write(workdir / "report.md", to_markdown(report))
    write_json(workdir / "samples.json", {stage.name: stage.samples for stage in report.stages})
    write_json(workdir / "report.json", to_json(report))  # the last one: a run with it is done


def to_json(report: Report) -> Json:
    """The report as plain dicts, strings and numbers."""
    fields = {field.name: getattr(report, field.name) for field in dataclasses.fields(report)}
    fields["measured"] = training.AGREEMENT if is_agreement(report.stages[0].evaluation) else "mAP against labels"
    fields["config"] = fields.pop("settings").to_json()
    fields["criterion"] = report.settings.prune.chosen.name
    fields["stages"] = {stage.name: stages.to_json(stage) for stage in report.stages}
    fields["latency"] = dataclasses.asdict(report.latency) if report.latency else None
    fields["layers"] = [row._asdict() for row in report.layers]
    return fields


def to_markdown(report: Report) -> str:
    """The report as a page."""
    settings, protocol = report.settings.prune, report.stages[0].evaluation.protocol
    lines = [
        f"# {_title(settings)}",
        "",
        f"**{stages.verdict(report.stages)}**",
        "",
        *stages.table(report.stages),
        "",
        f"- Network: `{report.settings.model.start}`; criterion `{settings.chosen.name}`, {_spread(settings)}.",
        f"- {_after(report)}; measured on {report.eval_set}.",
        *_latency(report.latency),
        *_agreement(report),
        *_what_next(report),
        f"- Protocol: {protocol}.",
        *([f"- Milliseconds of one image: {speed.where}."] if (speed := report.stages[0].speed) else []),
        *([] if report.settings.train.nothing else [_times(report)]),
        "",
    ]
    if settings.method == "filter":
        lines += [
            f"The pruned network is counted dense; without the dropped filters' own weights, but with the inputs that "
            f"they fed, it has {report.masked_filter_parameters:,} parameters. The networks after it are the smaller "
            "one, without either.",
            "",
        ]
    if report.off_grid:
        after = report.stages[-1]
        lines += [
            f"Layers that are wide enough keep a multiple of {settings.round_to} filters. Without that the network "
            f"would have {report.off_grid['parameters']:,} parameters in place of {after.parameters:,}, and "
            f"{report.off_grid['macs'] / 1e9:.3f} G MACs in place of {after.macs / 1e9:.3f} G.",
            "",
        ]
    if has_pictures(report.settings):
        lines += ["## Pictures", "", PICTURES, ""]
    if not report.settings.train.nothing:
        lines += ["## Retraining", "", "![loss and mAP](curves.svg)", ""]
    lines += ["## Layers", "", LAYERS, "", *stages.layer_table(report.layers, report.stages), ""]
    lines += ["## AP per class (11-point)", "", *stages.class_table(report.stages), ""]
    return "\n".join(lines)


def has_pictures(settings: Settings) -> bool:
    """Whether the settings ask for any."""
    return settings.eval.pictures > 0


def before_training(prune: Json, found: Mapping[str, float]) -> float | None:
    """The mAP of the network that the retraining began with; None for random weights, which nobody measured.

    `prune` is that section of a run's settings, of any version; `found` the mAP of each stage.
    """
    if prune.get("restart"):
        return None
    if prune["method"] == "weight" and prune.get("rounds", 1) > 1:  # weights go while training
        return found["original"]
    return found["repaired"] if "repaired" in found else found["pruned"]


def _latency(found: Latency | None) -> list[str]:
    """What became of a budget of time."""
    if not found:
        return []
    asked, promised, measured = (f"{1e3 * value:.2f} ms" for value in (found.target, found.promised, found.measured))
    return [f"- At most {asked} in {found.where}: the table promised {promised}, a call takes {measured}."]


def _agreement(report: Report) -> list[str]:
    """That there were no labels, where there were none, and whether the pictures are those of the repair."""
    original = report.stages[0].evaluation
    if not is_agreement(original):
        return []
    found = f"{original.objects:,} objects" if original.objects else "no object, so the numbers say nothing"
    lines = [f"- No labels: the numbers are {training.AGREEMENT}. The unpruned network finds {found}."]
    if data.SAME_IN_EVERY_SPLIT in report.eval_set:
        lines.append("- **Few pictures**: these are the ones that the network was fitted to; expect less on others.")
    return lines


def _what_next(report: Report) -> list[str]:
    """What brings back much that a network without training lost; what the unpruned one lacked, where it has less."""
    first, last = report.stages[0], report.stages[-1]
    before, after, train = first.evaluation.map_11point, last.evaluation.map_11point, report.settings.train
    if after > before and last.nonzero < first.nonzero and not train.nothing and train.labels == "data":
        return [
            "- **More mAP than the unpruned network**, which may not have been done training. Train it on before you "
            "prune it: `python -m yolojax.train --config configs/budget.py` with the same `--config.model.start` and "
            f"`--config.data.source`, `--config.train.steps={report.retrain_steps}` and another `--workdir`."
        ]
    if not train.nothing or after >= ENOUGH * before:
        return []
    return [
        "- **What next**: training brings back most of it, `configs/budget.py` by labels, or with "
        "`--config.train.labels=teacher` by the unpruned network on pictures alone. Or leave more, by a larger budget."
    ]


def _after(report: Report) -> str:
    """What came after pruning, as the start of a sentence."""
    about, train = report.settings.prune, report.settings.train
    parts = [f"repaired by images of {report.train_set}, without labels"] if about.repair else []
    parts += ["started again from random weights"] if about.restart else []
    if train.nothing:
        parts.append("not retrained")
    else:
        teacher = "by the unpruned network alone " if train.labels == "teacher" else ""
        parts.append(f"retrained {teacher}on {report.train_set}")
        if train.taught and not teacher:
            parts.append("taught by the unpruned network as well")
    if about.then_weights:
        parts.append(f"{about.then_weights:.0%} of the weights left gone while retraining ({about.then_criterion})")
    text = ", ".join(parts)
    return text[0].upper() + text[1:]


def _title(settings: PruneSettings) -> str:
    what = "Filters" if settings.method == "filter" else "Kernel weights"
    if settings.budget:
        return f"{what} pruned to {settings.budget}"
    return f"{settings.amount:.0%} of the {what.lower()} pruned"


def _spread(settings: PruneSettings) -> str:
    rounds = f", in {settings.rounds} rounds" if settings.rounds > 1 else ""
    if settings.amounts and not settings.budget:
        return f"amounts per layer by their sensitivity (`{settings.amounts}`){rounds}"
    if settings.budget and settings.method == "filter":
        ways = {"cost": "score over cost", "global": "score", "uniform": "the same share of each layer"}
        by = f"sensitivity (`{settings.amounts}`) over cost" if settings.amounts else ways[settings.allocation]
        return f"filters ordered by {by}, at least {settings.floor:.0%} of each layer kept{rounds}"
    ways = {
        "global": "one threshold for all layers",
        "layer": "the same share of each layer",
        "erdos_renyi": "a share for each layer by its shape (Erdős–Rényi)",
    }
    return ways[settings.chosen_scope] + rounds


def _times(report: Report) -> str:
    asked = report.settings.train.steps
    steps = f"{report.retrain_steps:,} steps"
    if asked and report.retrain_steps != asked:
        steps += f" ({asked:,}, stretched as the network has fewer MACs)"
    if report.retrain_seconds is None or report.total_seconds is None:
        return f"- Retraining took {steps}; the run was resumed from a checkpoint, so how long it took is not known."
    return f"- Retraining took {steps} and {report.retrain_seconds:.0f} s, the whole run {report.total_seconds:.0f} s."
