"""The report of a pruning run: report.json for machines, report.md with its pictures for people."""

import dataclasses
import pathlib
from collections.abc import Sequence

from yolojax import data, export, pruning, runtimes, training
from yolojax.files import Json, write_json, write_text
from yolojax.network import Model
from yolojax.reporting import figures, markdown, pictures
from yolojax.settings import PruneSettings, Settings


@dataclasses.dataclass(frozen=True)
class Speed:
    """What a network takes for one image: seconds, and in which runtime on which machine."""

    where: str
    timing: runtimes.Timing


@dataclasses.dataclass(frozen=True)
class Stage:
    """One network of a run, with its numbers.

    `weights_bytes` is the size of its dense .weights file, `compressed_bytes` that of its lossless compressed file
    (None where the coder is not installed), `samples` what `pictures.sample` gave, `speed` None where it was not
    measured.
    """

    name: str
    parameters: int
    nonzero: int
    macs: int
    weights_bytes: int
    compressed_bytes: int | None
    evaluation: training.Evaluation
    samples: Sequence[pictures.Sample]
    speed: Speed | None = None


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


def make_stage(
    name: str, model: Model, evaluation: training.Evaluation, size: int, samples: Sequence[pictures.Sample]
) -> Stage:
    """The numbers of one network; MACs are for a `size` x `size` image."""
    architecture, variables = model.architecture, model.variables
    return Stage(
        name=name,
        parameters=pruning.count_parameters(variables["params"]),
        nonzero=pruning.count_nonzeros(variables["params"]),
        macs=pruning.macs(architecture, size, size),
        weights_bytes=pruning.dense_bytes(architecture),
        compressed_bytes=export.compressed_bytes(architecture, variables) if export.can_compress() else None,
        evaluation=evaluation,
        samples=samples,
    )


def write(report: Report, eval_set: data.Dataset, workdir: pathlib.Path) -> None:
    """Writes report.md, pictures.png, layers.png, loss.png, samples.json and, last of all, report.json."""
    gallery = pictures.Gallery(eval_set, report.settings.eval.pictures)
    for stage in report.stages:
        gallery.add(f"{stage.name} {stage.evaluation.map_11point:.3f}", stage.samples)
    gallery.save(workdir / "pictures.png")
    figures.layers(report.layers, workdir / "layers.png")
    if not report.settings.train.nothing:
        figures.loss(workdir / "metrics.jsonl", workdir / "loss.png")
    write_text(workdir / "report.md", to_markdown(report))
    write_json(workdir / "samples.json", {stage.name: stage.samples for stage in report.stages})
    write_json(workdir / "report.json", to_json(report))  # the last one: a run with it is done


def to_json(report: Report) -> Json:
    """The report as plain dicts, strings and numbers."""
    fields = {field.name: getattr(report, field.name) for field in dataclasses.fields(report)}
    fields["measured"] = training.AGREEMENT if is_agreement(report.stages[0].evaluation) else "mAP against labels"
    fields["config"] = fields.pop("settings").to_json()
    fields["criterion"] = report.settings.prune.chosen.name
    fields["stages"] = {stage.name: stage_to_json(stage) for stage in report.stages}
    fields["latency"] = dataclasses.asdict(report.latency) if report.latency else None
    fields["layers"] = [row._asdict() for row in report.layers]
    return fields


def stage_to_json(stage: Stage) -> Json:
    """One network's numbers, without its samples."""
    fields = dataclasses.asdict(stage) | {"evaluation": stage.evaluation.to_json()}
    del fields["samples"]
    return fields


def to_markdown(report: Report) -> str:
    """The report as a page."""
    settings, protocol = report.settings.prune, report.stages[0].evaluation.protocol
    lines = [
        f"# {_title(settings)}",
        "",
        f"**{verdict(report.stages)}**",
        "",
        f"- Network: `{report.settings.model.start}`; criterion `{settings.chosen.name}`, {_spread(settings)}.",
        f"- {_after(report)}; measured on {report.eval_set}.",
        *_latency(report.latency),
        *_agreement(report.stages[0].evaluation),
        f"- Protocol: {protocol}.",
        *([f"- Milliseconds of one image: {speed.where}."] if (speed := report.stages[0].speed) else []),
        *([] if report.settings.train.nothing else [_times(report)]),
        "",
        *_stage_table(report.stages),
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
    lines += ["![detections](pictures.png)", "", "## AP per class (11-point)", "", *_class_table(report.stages), ""]
    lines += [] if report.settings.train.nothing else ["![loss](loss.png)", ""]
    lines += ["## Layers", "", "![layers](layers.png)", "", *_layer_table(report.layers), ""]
    return "\n".join(lines)


def verdict(stages: Sequence[Stage]) -> str:
    """What the last network costs and keeps, of the first one's."""
    first, last = stages[0], stages[-1]
    parts = [f"{last.macs / first.macs:.0%} of the MACs"]
    if first.speed and last.speed and first.speed != last.speed:  # zeros in the old shapes are timed once
        times = first.speed.timing.median / last.speed.timing.median
        parts.append(f"{times:.1f} times faster" if times >= 1 else f"{1 / times:.1f} times slower")
    before, after = first.evaluation.map_11point, last.evaluation.map_11point
    if before:
        parts.append(f"{after / before:.0%} of the {first.evaluation.protocol.quantity}")
    if first.compressed_bytes and last.compressed_bytes:
        parts.append(f"{last.compressed_bytes / first.weights_bytes:.1%} of the bytes")
    return ", ".join(parts) + "."


def megabytes(size: int | None) -> str:
    """In MB of 10^6 bytes."""
    return "-" if size is None else f"{size / 1e6:.2f}"


def is_agreement(evaluation: training.Evaluation) -> bool:
    """Whether there were no labels, so that what the unpruned network finds stands in for them."""
    return evaluation.protocol.quantity == "agreement"


def _latency(found: Latency | None) -> list[str]:
    """What became of a budget of time."""
    if not found:
        return []
    asked, promised, measured = (f"{1e3 * value:.2f} ms" for value in (found.target, found.promised, found.measured))
    return [f"- At most {asked} in {found.where}: the table promised {promised}, a call takes {measured}."]


def _agreement(original: training.Evaluation) -> list[str]:
    """That there were no labels, where there were none."""
    if not is_agreement(original):
        return []
    found = f"{original.objects:,} objects" if original.objects else "no object, so the numbers say nothing"
    return [f"- No labels: the numbers are {training.AGREEMENT}. The unpruned network finds {found}."]


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


def _stage_table(stages: Sequence[Stage]) -> list[str]:
    header = ["network", "parameters", "non-zero", "MACs", "ms", ".weights MB", "compressed MB"]
    quantity = stages[0].evaluation.protocol.quantity
    header += [f"{quantity} (11-point)", f"{quantity} (area)", f"{quantity} at 0.25"]
    rows = [
        [
            stage.name,
            f"{stage.parameters:,}",
            f"{stage.nonzero:,}",
            f"{stage.macs / 1e9:.3f} G",
            f"{1e3 * stage.speed.timing.median:.2f}" if stage.speed else "-",
            f"{stage.weights_bytes / 1e6:.2f}",
            megabytes(stage.compressed_bytes),
            f"{stage.evaluation.map_11point:.4f}",
            f"{stage.evaluation.map_area:.4f}",
            f"{stage.evaluation.map_11point_at_025:.4f}",
        ]
        for stage in stages
    ]
    return markdown.table(*markdown.without_empty(header, rows))


def _class_table(stages: Sequence[Stage]) -> list[str]:
    rows = []
    for name in stages[0].evaluation.ap_11point:
        values = [stage.evaluation.ap_11point[name] for stage in stages]
        rows.append([name, *("-" if value is None else f"{value:.4f}" for value in values)])
    return markdown.table(["class", *(stage.name for stage in stages)], rows)


def _layer_table(layers: Sequence[pruning.LayerRow]) -> list[str]:
    rows = [
        [
            row.name,
            f"{row.filters - row.filters_dropped} / {row.filters}",
            f"{row.nonzeros:,} / {row.parameters:,}",
            f"{row.sparsity:.1%}",
        ]
        for row in layers
    ]
    return markdown.table(["layer", "filters kept", "non-zero / parameters", "sparsity"], rows)
