"""The report of a training run: report.html and report.md with its pictures; the numbers are in evaluation.json."""

import dataclasses
import pathlib
from collections.abc import Sequence

from yolojax import data, pruning
from yolojax.reporting import figures, page, pictures, stages
from yolojax.reporting.stages import Stage
from yolojax.settings import Settings

PICTURES = '![what the network finds](pictures.jpg "Found at confidence 0.25 or more.")'
LAYERS = "![what the layers cost](layers.svg)"


@dataclasses.dataclass(frozen=True)
class Training:
    """Everything that the page of a training run tells; `layers` are the network's, `steps` all that it took."""

    settings: Settings
    train_set: str
    eval_set: str
    stage: Stage
    layers: Sequence[pruning.LayerRow]
    steps: int


def write(report: Training, eval_set: data.Dataset, workdir: pathlib.Path) -> None:
    """Writes report.md, report.html, pictures.jpg, layers.svg and curves.svg; metrics.jsonl is in `workdir` already."""
    stage, count = report.stage, report.settings.eval.pictures
    if count:
        gallery = pictures.Gallery(eval_set, count)
        gallery.add(stage.name, stage.samples, note=stage.note)
        gallery.save(workdir / "pictures.jpg")
    figures.layers(report.layers, workdir / "layers.svg", seconds=stages.layer_seconds([stage]))
    figures.curves(workdir / "metrics.jsonl", workdir / "curves.svg", after=stage.evaluation.map_11point)
    page.write(workdir / "report.md", to_markdown(report))


def to_markdown(report: Training) -> str:
    """The report as a page."""
    settings, stage = report.settings, report.stage
    about, result = settings.train, stage.evaluation
    start = f"`{settings.model.start}`" if settings.model.start else f"new, by `{settings.model.cfg}`"
    lines = [
        "# A network trained",
        "",
        f"**mAP {result.map_11point:.3f} (11-point): {result.objects:,} objects in {result.images:,} images.**",
        "",
        *stages.table([stage]),
        "",
        f"- Network: {start}, at {settings.eval.size}x{settings.eval.size}.",
        f"- Trained on {report.train_set}, measured on {report.eval_set}.",
        f"- {report.steps:,} steps of {about.batch_size} images; {about.optimizer}, {about.schedule} learning rate "
        f"{about.learning_rate}.",
        f"- Protocol: {result.protocol}.",
        *([f"- Milliseconds of one image: {stage.speed.where}."] if stage.speed else []),
        "",
    ]
    if settings.eval.pictures:
        lines += ["## Pictures", "", PICTURES, ""]
    lines += ["## Training", "", "![loss and mAP](curves.svg)", ""]
    lines += ["## Layers", "", LAYERS, "", *stages.layer_table(report.layers, [stage]), ""]
    lines += ["## AP per class (11-point)", "", *stages.class_table([stage]), ""]
    return "\n".join(lines)
