"""A network from whatever the user has into the format that is asked for."""

import dataclasses
import json
import pathlib
from collections.abc import Sequence
from typing import Any

import jax

from yolojax import darknet, export, network, training
from yolojax.runs.train import save_darknet

FORMATS = ("darknet", "orbax", "onnx", "stablehlo", "safetensors", "compressed")
WITH_NMS = ("onnx", "stablehlo")
TRUNCATED = ("darknet", "orbax")


def convert(
    source: str,
    to: str,
    out: str,
    *,
    cfg: str = "",
    names: str = "",
    cutoff: int = 0,
    seed: int = 0,
    size: int = 0,
    suppression: export.Suppression | None = None,
    platforms: Sequence[str] | None = None,
    values: str = "float32",
    bits: int = 5,
) -> None:
    """Writes the network at `source` as `to`, and beside every format but Orbax a card (`export.card_path`).

    Args:
      source: a checkpoint folder, a workdir, or a .weights file.
      to: one of `FORMATS`.
      out: a file, for darknet the .weights (.cfg and .names go beside it), for orbax a folder.
      cfg: the .cfg of a .weights file; by default beside it.
      names: a file of class names.
      cutoff: the .weights file holds the layers 0..cutoff-1 only. From Darknet to Orbax the later layers are then
        random, by `seed`; to Darknet, the file is written so (`darknet partial`), alone.
      seed: of the random layers.
      size: of the input in pixels; 0 for the one in the .cfg.
      suppression: ONNX and StableHLO then decode the head and suppress boxes.
      platforms: what StableHLO is for; by default `export.DEFAULT_PLATFORMS`.
      values: how a compressed file stores weights: float32, float16 or clustered.
      bits: of the codes of clustered weights.

    Raises:
      ValueError: what is missing, does not fit, or does not go together.
    """
    _check_flags(to, cutoff, size, suppression, platforms)
    path = pathlib.Path(out)
    if not path.name and to != "orbax":
        raise ValueError(f"--out {out}: a folder, expected the name of a file")
    if cutoff and to == "orbax":
        model = _open_truncated(source, cfg, cutoff, seed)
    else:
        model = training.open_model(source, cfg=cfg, names=names)
    facts = export.Facts(source, model.names, measured(source, model))
    if size:
        training.check_size(model.architecture, size)
        model = dataclasses.replace(model, architecture=model.architecture.resized(size, size))
    pair = (model.architecture, model.variables)
    match to:
        case "orbax":
            training.save_model(path, model)
        case "darknet" if cutoff:
            darknet.write_weights(*pair, path, seen=model.seen, cutoff=cutoff)
        case "darknet":
            path = path.with_suffix(".weights")
            save_darknet(model, path)
            export.write_card(path, *pair, export.darknet_interface(model.architecture), facts)
        case "onnx":
            export.write_onnx(*pair, path, facts, suppression=suppression)
        case "stablehlo":
            platforms = export.DEFAULT_PLATFORMS if platforms is None else platforms
            export.write_stablehlo(*pair, path, facts, platforms=platforms, suppression=suppression)
        case "safetensors":
            export.write_safetensors(*pair, path, facts, seen=model.seen)
        case "compressed":
            # The mAP was measured with the weights as they were: only lossless files may claim it.
            facts = facts if values == "float32" else dataclasses.replace(facts, measured=None)
            notes = {"mAP": facts.measured.map_11point, "on": facts.measured.data} if facts.measured else {}
            options: Any = {"names": model.names, "seen": model.seen, "values": values, "bits": bits, "notes": notes}
            export.write_compressed(path, *pair, **options)
            export.write_card(path, *pair, export.compressed_interface(values), facts)
    print(f"wrote {path}")


def measured(source: str, model: network.Model) -> export.Measured | None:
    """The mAP that the run of `source` (its workdir, or model.weights there) measured of `model`; None without one.

    A run that went on after its measurement has a newer network: then, too, there is none.
    """
    path = pathlib.Path(source)
    folder = path if path.is_dir() else path.parent
    weights = folder / "model.weights"
    if path not in (folder, weights) or not weights.exists() or darknet.read_header(weights).seen != model.seen:
        return None
    if (folder / "report.json").exists():
        report = json.loads((folder / "report.json").read_text())
        return _measured(report["stages"]["retrained"]["evaluation"], report["eval_set"])
    if (folder / "evaluation.json").exists():
        evaluation = json.loads((folder / "evaluation.json").read_text())
        about = json.loads((folder / "config.json").read_text())["data"]
        return _measured(evaluation, f"{about['source']} {about['eval_split']} ({evaluation['images']} images)")
    return None


def _measured(evaluation: dict[str, Any], data: str) -> export.Measured:
    return export.Measured(evaluation["map_11point"], evaluation["map_area"], data, evaluation["protocol_text"])


def _check_flags(
    to: str, cutoff: int, size: int, suppression: export.Suppression | None, platforms: Sequence[str] | None
) -> None:
    if to not in FORMATS:
        raise ValueError(f"--to {to!r}, expected one of {', '.join(FORMATS)}")
    if suppression is not None and to not in WITH_NMS:
        raise ValueError(f"--nms goes with --to {' or '.join(WITH_NMS)}, not with {to}")
    if platforms is not None and to != "stablehlo":
        raise ValueError(f"--platforms goes with --to stablehlo, not with {to}")
    if cutoff and to not in TRUNCATED:
        raise ValueError(f"--cutoff goes with --to {' or '.join(TRUNCATED)}, not with {to}")
    if cutoff and size:
        raise ValueError("--size does not go with --cutoff: a file of some layers has no input size")


def _open_truncated(source: str, cfg: str, cutoff: int, seed: int) -> network.Model:
    if not cfg:
        raise ValueError("--cutoff needs --cfg, the layers of the whole network")
    architecture = darknet.read_cfg(cfg)
    variables = network.init(architecture, jax.random.key(seed))
    return network.Model(architecture, darknet.load_backbone(architecture, variables, source, cutoff))
