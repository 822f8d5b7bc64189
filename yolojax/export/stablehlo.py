"""A network as StableHLO through `jax.export`: runs where JAX is, without yolojax."""

import dataclasses
import pathlib
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import export

from yolojax import detection, network
from yolojax.export.card import Facts, Interface, Tensor, head, images, write_card
from yolojax.export.format import Format, by_suffix, option
from yolojax.export.optional import require
from yolojax.export.suppression import DetectionOptions, Suppression
from yolojax.files import Path, write_bytes
from yolojax.network import Architecture, Model, Variables, fold_batch_norm, without_batch_norm

PLATFORMS = ("cpu", "cuda", "rocm", "tpu")
DEFAULT_PLATFORMS = ("cpu", "cuda", "tpu")

EXAMPLE = """
import numpy as np
from jax import export

with open("{{file}}", "rb") as file:
    network = export.deserialize(bytearray(file.read()))
images = np.zeros({shape}, np.float32)
{outputs} = network.call(images)
"""


def write_stablehlo(
    architecture: Architecture,
    variables: Variables,
    path: Path,
    facts: Facts = Facts(),  # noqa: B008  frozen
    *,
    platforms: Sequence[str] = DEFAULT_PLATFORMS,
    suppression: Suppression | None = None,
) -> None:
    """Writes `stablehlo_export` serialised, with its card. Raises ValueError when flatbuffers is not installed."""
    require("flatbuffers")  # jax.export serialises with it and does not depend on it
    blob = stablehlo_export(architecture, variables, platforms=platforms, suppression=suppression).serialize()
    write_bytes(path, blob)
    interface = stablehlo_interface(architecture, platforms=platforms, suppression=suppression)
    write_card(path, architecture, variables, interface, facts)


def stablehlo_export(
    architecture: Architecture,
    variables: Variables,
    *,
    platforms: Sequence[str] = DEFAULT_PLATFORMS,
    suppression: Suppression | None = None,
) -> export.Exported:
    """The network lowered for `platforms`, with its arrays inside, batch norm folded, for any batch size.

    Args:
      architecture: the network; images have the size of its `[net]`.
      variables: `{"params": ..., "batch_stats": ...}` that fit it.
      platforms: of "cpu", "cuda", "rocm", "tpu"; they need not be present.
      suppression: with it, the head is decoded and boxes are suppressed.

    Returns:
      A function of images (batch, height, width, channels) float32 in 0..1, RGB or grey, that gives the head (batch,
      rows, columns, A*(5+C)), or with `suppression` boxes (batch, N, 4) xywh relative to the image and scores (batch,
      N, C) in which suppressed ones are 0.

    Raises:
      ValueError: another platform, variables that do not fit, or no region layer to decode.
    """
    unknown = [platform for platform in platforms if platform not in PLATFORMS]
    if unknown or not platforms:
        raise ValueError(f"platforms {', '.join(unknown) or 'none'}, expected some of {', '.join(PLATFORMS)}")
    folded: Variables = {"params": fold_batch_norm(architecture, variables), "batch_stats": {}}
    plain = without_batch_norm(architecture)
    if suppression is not None:
        _ = architecture.region  # refuses a backbone, before the long work

    def run(images: jax.Array) -> jax.Array | tuple[jax.Array, jax.Array]:
        out = network.apply(plain, folded, images)
        return out if suppression is None else _detect(plain, out, suppression)

    net = architecture.net
    (batch,) = export.symbolic_shape("batch")
    side = jax.ShapeDtypeStruct((batch, net.height, net.width, net.channels), jnp.float32)
    return export.export(jax.jit(run), platforms=tuple(platforms))(side)


def _detect(architecture: Architecture, out: jax.Array, suppression: Suppression) -> tuple[jax.Array, jax.Array]:
    boxes, scores = detection.decode(architecture, out)

    def one(boxes: jax.Array, scores: jax.Array) -> jax.Array:
        found = detection.nms(
            boxes[None],
            scores[None],
            iou_threshold=suppression.iou_threshold,
            score_threshold=suppression.score_threshold,
        )
        return found[0]

    # Image by image: `nms` divides a batch into chunks, and the size of this one is not known.
    return boxes, jax.vmap(one)(boxes, scores)


def stablehlo_interface(
    architecture: Architecture,
    *,
    platforms: Sequence[str] = DEFAULT_PLATFORMS,
    suppression: Suppression | None = None,
) -> Interface:
    """What goes in and comes out of `stablehlo_export`."""
    kind = f"StableHLO of JAX {jax.__version__} for {', '.join(platforms)}, batch norm folded, any batch size"
    outputs: tuple[Tensor, ...] = (head(architecture, "NHWC"),)
    names = "head"
    if suppression is not None:
        kind += f"; detections decoded and suppressed ({suppression})"
        height, width, _ = architecture.shapes[-1]
        count = height * width * len(architecture.region.anchors)
        outputs = (
            Tensor("boxes", ("batch", count, 4), "float32", "centre x, centre y, width, height relative to the image"),
            Tensor(
                "scores",
                ("batch", count, architecture.region.classes),
                "float32",
                "of each box for each class; 0: suppressed, or below the threshold",
            ),
        )
        names = "boxes, scores"
    (image,) = inputs = (images(architecture, "NHWC"),)
    return Interface(kind, inputs, outputs, EXAMPLE.format(shape=(1, *image.shape[1:]), outputs=names))


@dataclasses.dataclass(frozen=True)
class StablehloOptions(DetectionOptions):
    """`DetectionOptions`, and the machines that the file is for."""

    platforms: tuple[str, ...] = option(DEFAULT_PLATFORMS, f"what for, of {', '.join(PLATFORMS)}.")


def _write(path: pathlib.Path, model: Model, facts: Facts, options: StablehloOptions) -> pathlib.Path:
    suppression, platforms = options.suppression, options.platforms
    write_stablehlo(model.architecture, model.variables, path, facts, platforms=platforms, suppression=suppression)
    return path


FORMAT = Format(
    "stablehlo",
    "a StableHLO file",
    _write,
    recognises=by_suffix(".stablehlo"),
    options=StablehloOptions,
    suffix=".stablehlo",
)
