"""The networks of one run: what was measured of each, and the tables of that."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence

from yolojax import export, pruning, runtimes, training
from yolojax.files import Json
from yolojax.network import Model
from yolojax.reporting import markdown, pictures


@dataclasses.dataclass(frozen=True)
class Speed:
    """What a network takes for one image: seconds, in which runtime on which machine, and each layer's share of them.

    `layers` has the seconds of each layer, and is empty where the runtime cannot tell.
    """

    where: str
    timing: runtimes.Timing
    layers: Mapping[str, float] = dataclasses.field(default_factory=dict)


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

    @property
    def milliseconds(self) -> str:
        """Of one image, as a table shows it."""
        return f"{1e3 * self.speed.timing.median:.2f}" if self.speed else "-"

    @property
    def note(self) -> str:
        """Its mAP, as it stands over its pictures."""
        return f"{self.evaluation.protocol.quantity} {self.evaluation.map_11point:.3f}"


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


def to_json(stage: Stage) -> Json:
    """One network's numbers, without its samples."""
    fields = dataclasses.asdict(stage) | {"evaluation": stage.evaluation.to_json()}
    del fields["samples"]
    return fields


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
        parts.append(f"compressed to {last.compressed_bytes / first.weights_bytes:.1%} of the .weights")
    return ", ".join(parts) + "."


def table(stages: Sequence[Stage]) -> list[str]:
    """All numbers, in Markdown; the last network is what the run is about."""
    quantity = stages[0].evaluation.protocol.quantity
    header = ["network", "MACs", "ms", f"{quantity} (11-point)", f"{quantity} (area)", f"{quantity} at 0.25"]
    header += ["parameters", "non-zero", ".weights MB", "compressed MB"]
    rows = [
        [
            stage.name,
            f"{stage.macs / 1e9:.3f} G",
            stage.milliseconds,
            f"{stage.evaluation.map_11point:.4f}",
            f"{stage.evaluation.map_area:.4f}",
            f"{stage.evaluation.map_11point_at_025:.4f}",
            f"{stage.parameters:,}",
            f"{stage.nonzero:,}",
            f"{stage.weights_bytes / 1e6:.2f}",
            megabytes(stage.compressed_bytes),
        ]
        for stage in stages
    ]
    return markdown.table(*markdown.without_empty(header, rows), strong=[len(rows) - 1])


def short_table(stages: Sequence[Stage]) -> list[str]:
    """What fits on a terminal."""
    compressed = all(stage.compressed_bytes for stage in stages)
    size = "compressed MB" if compressed else ".weights MB"
    header = ["network", "MACs", "parameters", size, "ms", stages[0].evaluation.protocol.quantity]
    rows = [
        [
            stage.name,
            f"{stage.macs / 1e9:.3f} G",
            f"{stage.nonzero:,}",
            megabytes(stage.compressed_bytes if compressed else stage.weights_bytes),
            stage.milliseconds,
            f"{stage.evaluation.map_11point:.4f}",
        ]
        for stage in stages
    ]
    return markdown.aligned(*markdown.without_empty(header, rows))


def summary(stages: Sequence[Stage], page: pathlib.Path) -> str:
    """What a run says at its end: the short table, the verdict where there is one, and where its page is."""
    told = [verdict(stages), ""] if len(stages) > 1 else []
    return "\n".join(["", *short_table(stages), "", *told, f"see {page}"])


def class_table(stages: Sequence[Stage]) -> list[str]:
    """AP (11-point) of each class in each network."""
    rows = []
    for name in stages[0].evaluation.ap_11point:
        values = [stage.evaluation.ap_11point[name] for stage in stages]
        rows.append([name, *("-" if value is None else f"{value:.4f}" for value in values)])
    return markdown.table(["class", *(stage.name for stage in stages)], rows)


def layer_table(layers: Sequence[pruning.LayerRow], stages: Sequence[Stage]) -> list[str]:
    """What each layer costs and what is left of it; milliseconds in the first and the last network, where known."""
    total = sum(row.macs for row in layers) or 1
    seconds = layer_seconds(stages)
    header = ["layer", "filters kept", "MACs (M)", "of all", "left", "of it"]
    header += ["ms" if len(seconds) < 2 else "ms before", "ms after", "parameters", "not 0", "gone"]
    rows = [
        [
            row.name,
            f"{row.filters - row.filters_dropped} / {row.filters}",
            f"{row.macs / 1e6:.1f}",
            f"{row.macs / total:.1%}",
            f"{row.macs_left / 1e6:.1f}",
            f"{row.macs_left / row.macs:.1%}",
            f"{1e3 * seconds[0].get(row.name, 0.0):.3f}" if seconds else "-",
            f"{1e3 * seconds[1].get(row.name, 0.0):.3f}" if len(seconds) > 1 else "-",
            f"{row.parameters:,}",
            f"{row.nonzeros:,}",
            f"{row.sparsity:.1%}",
        ]
        for row in layers
    ]
    return markdown.table(*markdown.without_empty(header, rows))


def layer_seconds(stages: Sequence[Stage]) -> list[Mapping[str, float]]:
    """The seconds of each layer, in the first network and, where it was timed by itself, in the last."""
    timed = [stage.speed for stage in (stages[0], stages[-1]) if stage.speed and stage.speed.layers]
    return [speed.layers for number, speed in enumerate(timed) if speed not in timed[:number]]


def megabytes(size: int | None) -> str:
    """In MB of 10^6 bytes."""
    return "-" if size is None else f"{size / 1e6:.2f}"


def is_agreement(evaluation: training.Evaluation) -> bool:
    """Whether there were no labels, so that what the unpruned network finds stands in for them."""
    return evaluation.protocol.quantity == "agreement"
