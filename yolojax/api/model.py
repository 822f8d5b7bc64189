"""A network that prunes, trains, measures, finds and saves itself; each method is a few of the library's functions.

import yolojax

model = yolojax.open("my.weights")
small = model.prune("macs=16%", images="devkit:FOLDER").train("devkit:FOLDER", steps=2400)
print(small.evaluate("devkit:FOLDER"))
small.save("small.onnx")
"""

import dataclasses
import functools
import os
import pathlib
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import UInt8

from yolojax import data, detection, export, network, pruning, runs, runtimes, training
from yolojax.api.detected import Detected
from yolojax.files import Path
from yolojax.settings import Settings

LOWEST_SCORE = 0.005  # of the boxes that the suppression sees
# As configs/budget.py trains, but for the steps: for data sets of some hundred images.
RECIPE: dict[str, Any] = {
    "epochs": 0,
    "batch_size": 8,
    "optimizer": "adam",
    "learning_rate": 1e-3,
    "schedule": "cosine",
}
WARMUP_STEPS = 50
COUNTS = dict.fromkeys(("parameters", "non-zero", "MACs"), "{:,}".format)


def open_model(path: Path, *, cfg: Path = "", names: Path = "") -> "Model":
    """The network at `path`: a run's workdir, a checkpoint folder, or a file as `export.open_model` takes.

    A `.weights` file needs its .cfg beside it, or as `cfg`; `names` is a file with one class name per line. Raises
    ValueError with what is missing or does not fit.
    """
    return wrapped(export.open_model(path, cfg=cfg, names=names))


def new_model(cfg: Path, source: str, *, size: int = 0, seed: int = 0) -> "Model":
    """A network of random weights, to be trained.

    Args:
      cfg: its layers; the classes are those of the data.
      source: the data, as in `devkit:FOLDER`, whose objects settle the anchors too, by k-means.
      size: side of its input in pixels; 0 for the one in the .cfg.
      seed: of the weights and of k-means.

    Raises ValueError for data without labels, and for layers or a size that do not fit.
    """
    settings = Settings().replace(
        model={"cfg": str(cfg), "anchors": "kmeans"},
        data={"source": source_of(source)},
        train={"seed": seed},
        eval={"size": size},
    )
    return wrapped(runs.make_model(settings))


def wrapped(model: network.Model) -> "Model":
    """The same network as an object, without copies."""
    return Model(**{field.name: getattr(model, field.name) for field in dataclasses.fields(model)})


@dataclasses.dataclass(frozen=True, repr=False, eq=False)
class Model(network.Model):
    """A network with its class names. No method changes it: what comes out is another one.

    In a terminal and a notebook it shows as a table of its convolutions.
    """

    @property
    def size(self) -> int:
        """The side of its input, in pixels. Raises ValueError where it is not square."""
        return network.own_size(self.architecture)

    @property
    def layers(self) -> pd.DataFrame:
        """A row for each convolution: kernel, filters, output (height, width), parameters, those not 0, MACs."""
        rows, shapes = pruning.layer_table(self.architecture, self.variables), self.architecture.shapes
        found = {}
        for conv, row in zip(self.architecture.convolutions, rows, strict=True):
            shape = shapes[conv.index]
            found[row.name] = {
                "kernel": f"{conv.layer.size}x{conv.layer.size}",
                "filters": row.filters,
                "output": f"{shape.height}x{shape.width}",
                "parameters": row.parameters,
                "non-zero": row.nonzeros,
                "MACs": row.macs,
            }
        return pd.DataFrame.from_dict(found, orient="index")

    def prune(self, budget: str = "macs=50%", *, images: str = "", **fields: Any) -> "Model":
        """A smaller network within a budget, repaired where there are images; nothing is trained.

        Args:
          budget: what may be left: `macs=30%`, `latency=5ms`, `params=1M`, `bytes=2MB`; `weights=10%` with
            `method="weight"`, which leaves the shapes and sets weights to 0. With "" the `amount` among the fields
            says how much goes.
          images: what the repair sees, no labels are needed: a folder of pictures, or a data source as `devkit:FOLDER`.
          **fields: others of a config's section `prune`, as in `criterion="fisher"` or `floor=0.2`.

        Raises ValueError for a budget that cannot be met, and for fields and images that are wrong.
        """
        if budget and "amount" in fields:
            raise ValueError(
                f"budget={budget!r} and amount={fields['amount']}, expected one; budget='' takes the amount"
            )
        about = {"budget": budget, "repair": bool(images) and fields.get("method", "filter") == "filter", **fields}
        settings = Settings().replace(
            data={"source": source_of(images)} if images else {},
            train={"batch_size": RECIPE["batch_size"]},
            eval={"size": self.size},
            prune=about,
        )
        return wrapped(runs.prune_model(settings, self, with_images=bool(images)))

    def train(
        self, source: str, *, steps: int, teacher: network.Model | None = None, workdir: Path = "", **fields: Any
    ) -> "Model":
        """The network after its training; weights that are 0 stay 0.

        Args:
          source: the data, as in `devkit:FOLDER`; with `teacher` and `labels="teacher"` a folder of pictures will do.
          steps: of training, each with `batch_size` images (8). A smaller network takes less time for each, and
            `configs/budget.py` gives it up to four times as many.
          teacher: the unpruned network, to learn from too (`distill`) or alone (`labels="teacher"`).
          workdir: keeps checkpoints and the log, and the same call goes on from there; by default nothing stays.
          **fields: others of a config's section `train`; by default Adam at 1e-3, cosine, 50 steps of warm-up.

        Raises ValueError for data and fields that are wrong, and for a workdir of another training.
        """
        if "epochs" in fields:
            raise ValueError(f"steps={steps} and epochs={fields['epochs']}, expected steps alone")
        if "stretch" in fields:
            raise ValueError(
                f"stretch={fields['stretch']}: a network does not know how large it was; give all its steps as steps"
            )
        recipe = {**RECIPE, "warmup_steps": min(WARMUP_STEPS, steps // 2), "steps": steps, **fields}
        settings = Settings().replace(data={"source": source_of(source)}, train=recipe, eval={"size": self.size})
        return wrapped(runs.train_further(settings, self, workdir=workdir, teacher=teacher))

    def evaluate(self, source: str, *, split: str = "test", runtime: str = "") -> training.Evaluation:
        """VOC mAP on a split of a data source with labels, by the devkit's protocol; it prints as a table.

        `runtime` is one of `runtimes.RUNTIMES`, by default JAX.
        """
        return runs.evaluate_program(self._program, source, split, training.Protocol(self.size), runtime=runtime)

    def detect(self, image: Path | UInt8[np.ndarray, "height width 3"], *, score: float = 0.25) -> Detected:
        """What it finds in an image, a file or RGB, with at least that score; in the fastest installed runtime."""
        pixels = data.read_image(image) if isinstance(image, str | os.PathLike) else np.asarray(image)
        if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
            raise ValueError(f"image is {pixels.dtype} of {pixels.shape}, expected uint8 of (height, width, 3), RGB")
        found = self._detector(pixels)
        keep = found.scores >= max(score, LOWEST_SCORE)
        names = network.names_or_numbers(self.architecture, self.names)
        return Detected(pixels, detection.Detections(*(leaf[keep] for leaf in found)), names)

    def milliseconds(self, runtime: str = "") -> float:
        """The median time of one image on this machine, in a runtime, by default the fastest that is installed."""
        chosen = runtimes.choose(runtime, self._program)
        return 1e3 * runtimes.time_networks([self.architecture], chosen, size=self.size)[0]

    def save(self, path: Path, *, to: str = "", **options: Any) -> pathlib.Path:
        """Writes the format that the suffix names, or `to`, and a card; a folder, without suffix, is a checkpoint.

        `options` are those of `python -m yolojax.convert`, as in `int8=True, calibrate="images:FOLDER"` for .onnx.
        Raises ValueError for a suffix that no format has.
        """
        return runs.save(self, path, to=to, **options)

    @functools.cached_property
    def _program(self) -> runtimes.Program:
        return runtimes.make_program(self)

    @functools.cached_property
    def _detector(self) -> training.Detector:
        session = runtimes.choose("", self._program).load(self._program)
        return training.Detector(self._program, training.Protocol(self.size, LOWEST_SCORE), session=session)

    def __repr__(self) -> str:
        return f"{self._headline}\n{self.layers.to_string(formatters=COUNTS)}"

    def _repr_html_(self) -> str:
        return f"<p>{self._headline}</p>{self.layers.to_html(formatters=COUNTS)}"

    @property
    def _headline(self) -> str:
        net, architecture = self.architecture.net, self.architecture
        return (
            f"{net.width}x{net.height} pixels, {architecture.region.classes} classes: "
            f"{pruning.count_parameters(self.params):,} parameters, {pruning.macs(architecture) / 1e6:,.1f} M MACs, "
            f"{pruning.dense_bytes(architecture) / 1e6:.2f} MB"
        )


def source_of(text: str) -> str:
    """A data source: what is one already, and `images:FOLDER` for a folder."""
    return f"images:{text}" if pathlib.Path(text).expanduser().is_dir() else text
