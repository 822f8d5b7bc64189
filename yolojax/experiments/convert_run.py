"""From Darknet's files to an Orbax checkpoint, and back."""

import pathlib

import jax

from yolojax import darknet, network, training
from yolojax.experiments.train_run import save_darknet


def convert(source: str, to: str, out: str, *, cfg: str = "", names: str = "", cutoff: int = 0, seed: int = 0) -> None:
    """Writes the network at `source` as `to`.

    Args:
      source: a checkpoint folder, a workdir, or a .weights file.
      to: `orbax` (out is a folder) or `darknet` (out is a .weights file; .cfg and .names go beside it).
      out: where to.
      cfg: the .cfg of a .weights file; by default beside it.
      names: a file of class names.
      cutoff: the .weights file holds the layers 0..cutoff-1 only. From Darknet to Orbax the later layers are then
        random, by `seed`; to Darknet, the file is written so (`darknet partial`).
      seed: of the random layers.
    """
    path = pathlib.Path(out)
    if to == "orbax":
        if cutoff:
            model = _open_truncated(source, cfg, cutoff, seed)
        else:
            model = training.open_model(source, cfg=cfg, names=names)
        training.save_model(path, model)
    elif to == "darknet":
        model = training.open_model(source, cfg=cfg, names=names)
        if cutoff:
            darknet.write_weights(model.architecture, model.variables, path, seen=model.seen, cutoff=cutoff)
        else:
            save_darknet(model, path)
    else:
        raise ValueError(f"--to {to!r}, expected 'darknet' or 'orbax'")
    print(f"wrote {path}")


def _open_truncated(source: str, cfg: str, cutoff: int, seed: int) -> training.Model:
    if not cfg:
        raise ValueError("--cutoff needs --cfg, the layers of the whole network")
    architecture = darknet.read_cfg(cfg)
    variables = network.init(architecture, jax.random.key(seed))
    return training.Model(architecture, darknet.load_backbone(architecture, variables, source, cutoff))
