"""Wrong and hostile checkpoints."""

import json
import os
import sys
import types

import jax
import numpy as np
import pytest

from tests.input.cases import Good, cfg_text, refused
from yolojax import export, network
from yolojax.export import stored

FILE = "checkpoint"
META = "checkpoint/0/meta/metadata"


def load(good: Good, **meta: object) -> network.Model:
    """Loads the checkpoint with values of its meta changed."""
    if meta:
        good.write(META, json.dumps(json.loads(good.text(META)) | meta))
    return export.load_model(good.folder / "checkpoint")


@refused("missing", "error: …nowhere: no such checkpoint folder")
def test_missing(good):
    export.load_model(good.folder / "nowhere")


@refused("empty", "error: …e: holds no checkpoint; expected a folder with one folder per step")
def test_empty(good):
    (good.folder / "e").mkdir()
    export.load_model(good.folder / "e")


@refused("truncated", "error: …checkpoint/0 is damaged (…); remove that folder to use the checkpoint before it")
def test_truncated(good):
    files = [path for path in (good.folder / "checkpoint/0/state").rglob("*") if path.is_file()]
    for path in files:
        os.truncate(path, path.stat().st_size // 2)
    load(good)


@refused(
    "without its architecture",
    "error: …checkpoint/0 is damaged (…); remove that folder to use the checkpoint before it",
)
def test_without_its_architecture(good):
    (good.folder / META).unlink()
    load(good)


@refused(
    "binary garbage for JSON",
    "error: …checkpoint/0 is damaged (…); remove that folder to use the checkpoint before it",
)
def test_binary_garbage_for_json(good):
    good.write(META, bytes(range(256)))
    load(good)


@refused(
    "a list for an object",
    "error: …checkpoint/0 is not a checkpoint of yolojax, or is damaged (…); "
    "remove that folder to use the checkpoint before it",
)
def test_a_list_for_an_object(good):
    good.write(META, "[1, 2]")
    load(good)


@refused(
    "JSON nested 100,000 deep",
    "error: …checkpoint/0 is not a checkpoint of yolojax, or is damaged (…); "
    "remove that folder to use the checkpoint before it",
)
def test_json_nested_100000_deep(good):
    good.write(META, "[" * 100_000)
    load(good)


@refused("a million layers", "error: …checkpoint/0:1: 8000036 characters, expected a .cfg of at most 1048576")
def test_a_million_layers(good):
    load(good, cfg=cfg_text("[reorg]\n" * 1_000_000))


@refused("names that are not text", "error: …checkpoint/0: cfg or names in meta is not text; remove that folder")
def test_names_that_are_not_text(good):
    load(good, names=[1, 2])


@refused(
    "10^30 images seen",
    "error: …checkpoint/0: 1000000000000000000000000000000 images seen, expected an integer from 0; remove that folder",
)
def test_more_images_seen_than_an_int64_holds(good):
    load(good, seen=10**30)


@refused(
    "of another network",
    "error: …checkpoint/0 is damaged (…); remove that folder to use the checkpoint before it",
)
def test_of_another_network(good):
    load(good, cfg=good.text("m.cfg").replace("filters=4\n", "filters=8\n"))


@refused(
    "an array of 10^12 values in a few bytes",
    "error: …checkpoint/0 is damaged (…); remove that folder to use the checkpoint before it",
)
def test_an_array_of_a_trillion_values_in_a_few_bytes(good):
    tensorstore = pytest.importorskip("tensorstore")
    base = {"driver": "ocdbt", "base": f"file://{good.folder}/checkpoint/0/state/"}
    store = tensorstore.KvStore.open(base).result()
    key = b"params.conv_00.bias/.zarray"
    array = json.loads(store.read(key).result().value)
    store.write(key, json.dumps(array | {"shape": [10**12], "chunks": [10**12]}).encode()).result()
    load(good)


@refused(
    "NaN in the weights",
    "error: …nan/0: 1 of 576 values are not finite in conv_02 (kernel); "
    "use an earlier file or checkpoint of that network",
)
def test_nan_in_the_weights(good):
    model = load(good)
    params = jax.tree.map(np.array, model.params)
    params["conv_02"]["kernel"][0, 0, 0, 0] = np.nan
    export.save_model(good.folder / "nan", model.with_params(params))
    export.load_model(good.folder / "nan")


def test_after_a_failed_read_a_closed_loop_is_not_reported_and_everything_else_is(monkeypatch):
    """Whether TensorStore still calls back is a matter of time, so it is called here."""
    reported = []
    monkeypatch.setattr(sys, "unraisablehook", reported.append)
    stored.hush_closed_loop()
    stored.hush_closed_loop()
    other = types.SimpleNamespace(exc_value=RuntimeError("another"))
    sys.unraisablehook(types.SimpleNamespace(exc_value=RuntimeError("Event loop is closed")))
    sys.unraisablehook(other)
    assert reported == [other]
