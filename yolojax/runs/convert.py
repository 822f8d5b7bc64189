"""A network, from any file that can be opened, into the format that is asked for."""

import dataclasses
import json
import pathlib
from collections.abc import Mapping

from yolojax import darknet, export, network
from yolojax.export import Choice
from yolojax.files import Json, Path
from yolojax.reporting.entries import evaluation_set
from yolojax.runs.quantize import write_int8
from yolojax.runs.web import write_page


def convert(
    source: str, to: str, out: str, *, cfg: str = "", names: str = "", size: int = 0, **options: Choice
) -> None:
    """Writes the network at `source` as `to`, and beside every file but a folder a card (`export.card_path`).

    Args:
      source: what `export.open_model` takes.
      to: one of `export.FORMATS`.
      out: a file, for darknet the .weights (.cfg and .names go beside it), for orbax and web a folder.
      cfg: the .cfg of a .weights file; by default beside it.
      names: a file of class names.
      size: of the input in pixels; 0 for the one in the .cfg.
      **options: the format's own, as `export.format_options` lists them: `nms=True` for onnx. With `cutoff`
        only layers 0..cutoff-1 count: those that are read, for orbax, where the later ones are then random, by `seed`;
        and those that are written, for darknet, from any .weights file that begins as its .cfg does.

    Raises:
      ValueError: what is missing, does not fit, or does not go together.
    """
    entry = _entry(to)
    chosen = entry.options(**_chosen(to, options))
    if size and options.get("cutoff"):
        raise ValueError("--size does not go with --cutoff: a file of some layers has no input size")
    path = pathlib.Path(out)
    if not path.name and not entry.folder:
        raise ValueError(f"--out {out}: a folder, expected the name of a file")
    model = entry.open_source(source, cfg, chosen) if entry.open_source else None
    if model is None:
        model = export.open_model(source, cfg=cfg, names=names)
    model, facts = _at_size(source, model, size)
    print(f"wrote {_write(entry, path, model, facts, chosen, size)}")


def save(model: network.Model, out: Path, *, to: str = "", **options: Choice) -> pathlib.Path:
    """Writes a network as `to`, one of `export.FORMATS`, by default as the suffix of `out` says; returns the path.

    `options` are the format's own, as for `convert`. Raises ValueError for an unknown format or suffix, and for options
    that do not go with it.
    """
    entry = _entry(to) if to else export.format_of(out)
    chosen = entry.options(**_chosen(entry.name, options))
    if isinstance(chosen, export.CheckpointOptions) and chosen != export.CheckpointOptions():
        raise ValueError("cutoff, seed: of a backbone's file that `convert` reads; a checkpoint has the whole network")
    return _write(entry, pathlib.Path(out), model, export.Facts(names=model.names), chosen, 0)


def _entry(to: str) -> export.Format:
    if to not in export.FORMATS:
        raise ValueError(f"--to {to!r}, expected one of {', '.join(export.FORMATS)}")
    return export.FORMATS[to]


def _write(
    entry: export.Format, path: pathlib.Path, model: network.Model, facts: export.Facts, options: object, size: int
) -> pathlib.Path:
    match options:
        case export.WebOptions():
            other = _at_size(options.against, export.open_model(options.against), size) if options.against else None
            return write_page(path, model, facts, options, against=other)
        case export.OnnxOptions(int8=True):
            write_int8(path, model, facts, options)
            return path
        case _:
            return entry.write(path, model, facts, options)


def _at_size(source: str, model: network.Model, size: int) -> tuple[network.Model, export.Facts]:
    """The model for images of `size` pixels, 0 for its own, and what is known of it then."""
    if size:
        network.check_size(model.architecture, size)
        model = dataclasses.replace(model, architecture=model.architecture.resized(size, size))
    return model, export.Facts(source, model.names, measured(source, model))


def _chosen(to: str, options: Mapping[str, Choice]) -> dict[str, Choice]:
    """The options that differ from their defaults; ValueError for one that the format does not have."""
    known = export.format_options()
    chosen = {}
    for name, value in options.items():
        if name not in known:
            raise ValueError(f"{name}={value!r}: no option of a format, expected one of {', '.join(known)}")
        value = tuple(value) if isinstance(value, list) else value
        if value == known[name].default:
            continue
        if to not in known[name].formats:
            raise ValueError(f"--{name} goes with --to {' or '.join(known[name].formats)}, not with {to}")
        chosen[name] = value
    return chosen


def measured(source: str, model: network.Model) -> export.Measured | None:
    """The mAP that the run of `source` (its workdir, or model.weights there) measured of `model`; None without one.

    None also for a run that was resumed after its measurement, since its network is newer, for one on pictures
    without labels, which measured agreement, and for a model of another input size than was measured.
    """
    path = pathlib.Path(source)
    folder = path if path.is_dir() else path.parent
    weights = folder / "model.weights"
    if path not in (folder, weights) or not weights.exists() or darknet.read_header(weights).seen != model.seen:
        return None
    if (folder / "report.json").exists():
        report = json.loads((folder / "report.json").read_text())
        *_, stage = (stage for name, stage in report["stages"].items() if name != "clustered")  # of model.compressed
        return _measured(stage["evaluation"], report["eval_set"], model)
    if (folder / "evaluation.json").exists():
        evaluation = json.loads((folder / "evaluation.json").read_text())
        return _measured(evaluation, evaluation_set(folder, evaluation), model)
    return None


def _measured(evaluation: Json, data: str, model: network.Model) -> export.Measured | None:
    protocol, net = evaluation["protocol"], model.architecture.net
    if protocol.get("agreement") or (net.height, net.width) != (protocol["size"], protocol["size"]):
        return None
    return export.Measured(evaluation["map_11point"], evaluation["map_area"], data, evaluation["protocol_text"])
