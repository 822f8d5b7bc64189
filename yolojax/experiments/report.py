"""The report of a pruning run: report.json for machines, report.md with its pictures for people."""

import dataclasses
import json
import pathlib
from collections.abc import Sequence
from typing import Any

import jax
import ml_collections

from yolojax import darknet, network, pruning, training
from yolojax.experiments import figures, setup
from yolojax.experiments.pictures import Gallery


@dataclasses.dataclass(frozen=True)
class Stage:
    """One network of a run, with its numbers. `weights_bytes` is the size of its dense .weights file."""

    name: str
    parameters: int
    nonzero: int
    macs: int
    weights_bytes: int
    evaluation: training.Evaluation


@dataclasses.dataclass(frozen=True)
class Report:
    """Everything that a pruning run measured."""

    config: ml_collections.ConfigDict
    train_set: str
    eval_set: str
    stages: Sequence[Stage]
    layers: Sequence[pruning.LayerRow]
    masked_filter_parameters: int
    retrain_seconds: float
    total_seconds: float


def make_stage(
    name: str, architecture: network.Architecture, variables: Any, evaluation: training.Evaluation, size: int
) -> Stage:
    """The numbers of one network; MACs are for a `size` x `size` image."""
    return Stage(
        name=name,
        parameters=pruning.count_parameters(variables["params"]),
        nonzero=pruning.count_nonzeros(variables["params"]),
        macs=pruning.macs(architecture, size, size),
        weights_bytes=pruning.dense_bytes(architecture),
        evaluation=evaluation,
    )


def write(report: Report, gallery: Gallery, workdir: pathlib.Path) -> None:
    """Writes report.json, report.md, pictures.png, layers.png and loss.png, on process 0."""
    if jax.process_index() > 0:
        return
    setup.write_json(workdir / "report.json", to_json(report))
    gallery.save(workdir / "pictures.png")
    figures.layers(report.layers, workdir / "layers.png")
    figures.loss(workdir / "metrics.jsonl", workdir / "loss.png")
    with darknet.replacing(workdir / "report.md") as beside:
        beside.write_text(to_markdown(report))


def scope(config: ml_collections.ConfigDict) -> str:
    """The config's scope; where it leaves that open, what the criterion was published with."""
    return config.scope or ("layer" if config.criterion == "l1" else "global")


def to_json(report: Report) -> dict[str, Any]:
    """The report as plain dicts, strings and numbers."""
    fields = {field.name: getattr(report, field.name) for field in dataclasses.fields(report)}
    fields["config"] = json.loads(report.config.to_json_best_effort())
    fields["stages"] = {
        stage.name: {**dataclasses.asdict(stage), "evaluation": stage.evaluation.to_json()} for stage in report.stages
    }
    fields["layers"] = [row._asdict() for row in report.layers]
    return fields


def to_markdown(report: Report) -> str:
    """The report as a page."""
    config, protocol = report.config, report.stages[0].evaluation.protocol
    what = "filters" if config.method == "filter" else "kernel weights"
    threshold = "one threshold for all layers" if scope(config) == "global" else "the same share of each layer"
    lines = [
        f"# {config.amount:.0%} of the {what} pruned",
        "",
        f"- Network: `{config.model}`; criterion `{config.criterion}`, {threshold}.",
        f"- Retrained on {report.train_set}; measured on {report.eval_set}.",
        f"- Protocol: {protocol}.",
        f"- Retraining took {report.retrain_seconds:.0f} s, the whole run {report.total_seconds:.0f} s.",
        "",
        *_stage_table(report.stages),
        "",
    ]
    if config.method == "filter":
        lines += [
            f"The pruned network is counted dense; without the dropped filters' own weights, but with the inputs that "
            f"they fed, it has {report.masked_filter_parameters:,} parameters. The retrained network is the smaller "
            "one, without either.",
            "",
        ]
    lines += ["![detections](pictures.png)", "", "## AP per class (11-point)", "", *_class_table(report.stages), ""]
    lines += ["![loss](loss.png)", "", "## Layers", "", "![layers](layers.png)", "", *_layer_table(report.layers), ""]
    return "\n".join(lines)


def _stage_table(stages: Sequence[Stage]) -> list[str]:
    header = ["network", "parameters", "non-zero", "MACs", ".weights MB", "mAP (11-point)", "mAP (area)", "mAP at 0.25"]
    rows = [
        [
            stage.name,
            f"{stage.parameters:,}",
            f"{stage.nonzero:,}",
            f"{stage.macs / 1e9:.3f} G",
            f"{stage.weights_bytes / 1e6:.2f}",
            f"{stage.evaluation.map_11point:.4f}",
            f"{stage.evaluation.map_area:.4f}",
            f"{stage.evaluation.map_11point_at_025:.4f}",
        ]
        for stage in stages
    ]
    return _table(header, rows)


def _class_table(stages: Sequence[Stage]) -> list[str]:
    rows = []
    for name in stages[0].evaluation.ap_11point:
        values = [stage.evaluation.ap_11point[name] for stage in stages]
        rows.append([name, *("-" if value is None else f"{value:.4f}" for value in values)])
    return _table(["class", *(stage.name for stage in stages)], rows)


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
    return _table(["layer", "filters kept", "non-zero / parameters", "sparsity"], rows)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    ruler = "|" + "---|" + "---:|" * (len(header) - 1)
    return [f"| {' | '.join(header)} |", ruler, *(f"| {' | '.join(row)} |" for row in rows)]
