"""What a repair is made of, tried one by one without any training: mAP of one network at several shares of its MACs.

    python scripts/compare_repairs.py --model runs/cards/model.weights --data devkit:PATH/cards --size 256

Filters go by LAMP per MAC.
"""

import functools
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from absl import app, flags

from yolojax import network, pruning, settings
from yolojax.network import AnyArray, Masks, Model, Variables
from yolojax.network.module import BN_MOMENTUM
from yolojax.pruning.repair import CELLS, RIDGE
from yolojax.reporting import markdown
from yolojax.runs import setup

MODEL = flags.DEFINE_string("model", None, "The unpruned network.", required=True)
DATA = flags.DEFINE_string("data", None, "Data with labels: trainval repairs, test measures.", required=True)
SIZE = flags.DEFINE_integer("size", 416, "Input size in pixels.")
SHARES = flags.DEFINE_list("shares", ["50", "30", "16", "8"], "Percent of the MACs that are left.")
IMAGES = 256  # the most that a way sees

Images = Sequence[AnyArray]
Way = Callable[[Model, Masks, Images], Variables]


def refit(model: Model, masks: Masks, images: Images, *, ridge: float = RIDGE, cells: int = CELLS) -> Variables:
    return pruning.repair(model.architecture, model.variables, masks, images, ridge=ridge, cells=cells)


def measure_again(model: Model, variables: Variables, images: Images) -> Variables:
    """With the mean and variance that each layer has on these images, each layer seeing normalised inputs."""

    @jax.jit
    def statistics(batch: jax.Array) -> network.BatchStats:
        blank = jax.tree.map(jnp.zeros_like, variables["batch_stats"])
        _, found = network.apply_train(
            model.architecture, {**variables, "batch_stats": blank}, network.to_input(model.architecture, batch)
        )
        return jax.tree.map(lambda leaf: leaf / (1 - BN_MOMENTUM), found)

    found = [statistics(jnp.asarray(batch)) for batch in images]
    return {**variables, "batch_stats": jax.tree.map(lambda *leaves: np.mean(leaves, axis=0), *found)}


def ways(batches: int) -> dict[str, Way]:
    """{name: from masks to variables}; `batches` hold 128 images."""
    return {
        "pruned, nothing else": lambda model, masks, _: model.masked(masks).variables,
        "batch norm measured again": lambda model, masks, images: measure_again(
            model, model.masked(masks).variables, images[:batches]
        ),
        "repaired by 128 images": lambda model, masks, images: refit(model, masks, images[:batches]),
        "the same, batch norm measured again": lambda model, masks, images: measure_again(
            model, refit(model, masks, images[:batches]), images[:batches]
        ),
        "by 32 images": lambda model, masks, images: refit(model, masks, images[: batches // 4]),
        "by 256 images": refit,
        "by 128 images, three times the places": lambda model, masks, images: refit(
            model, masks, images[:batches], cells=3 * CELLS
        ),
        "by 128 images, a ridge ten times larger": lambda model, masks, images: refit(
            model, masks, images[:batches], ridge=10 * RIDGE
        ),
        "by 128 images, a ridge ten times smaller": lambda model, masks, images: refit(
            model, masks, images[:batches], ridge=RIDGE / 10
        ),
    }


def main(_: Sequence[str]) -> None:
    network.keep_freed_memory()
    chosen = settings.Settings().replace(
        model={"start": MODEL.value},
        data={"source": DATA.value},
        eval={"size": SIZE.value},
        train={"batch_size": 16, "sizes": (SIZE.value,)},
    )
    model = setup.open_start(chosen)
    test = setup.open_split(chosen.data, "test", model.names)
    evaluator = setup.make_evaluator(chosen, model.architecture, test)
    train = setup.open_split(chosen.data, "trainval", model.names)
    images = [batch["image"] for batch in setup.plain_batches(chosen, train, IMAGES)]
    found = functools.partial(evaluator.evaluate, progress=None)
    print(f"{test.description}: unpruned {found(model.variables).map_area:.3f} (area)")
    scores = pruning.scores("lamp", model.architecture, model.params, kind="filter")
    columns: dict[str, list[str]] = {name: [] for name in ways(0)}
    for share in SHARES.value:
        budget = pruning.parse_budget(f"macs={share}%")
        masks = pruning.budget_masks(
            model.architecture,
            model.params,
            scores,
            cost=budget.cost(SIZE.value),
            target=budget.target(model.architecture, SIZE.value),
        )
        for name, way in ways(128 // 16).items():
            columns[name].append(f"{found(way(model, masks, images)).map_area:.3f}")
            print(f"{share}% {name}: {columns[name][-1]}", flush=True)
    header = ["mAP (area)", *(f"{share}% of the MACs" for share in SHARES.value)]
    print("\n".join(markdown.table(header, [[name, *values] for name, values in columns.items()])))


if __name__ == "__main__":
    app.run(main)
