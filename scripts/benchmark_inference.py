"""Latency of a network and its filter-pruned versions in yolojax, OpenCV, ONNX Runtime and PyTorch, in one run.

    python scripts/benchmark_inference.py --batches=1,8 --rounds=15

Random weights: speed does not depend on them. Filters go by `l1`, the same share of each layer. Contestants take turns,
round by round: a rest, a call after it, and the calls that follow on it; the table has the medians of both. On a GPU:
bfloat16, PyTorch compiled, and the share of `--peak_tflops`. Needs `pip install -e .[export,benchmark]` and OpenCV 4.
"""

import functools
import pathlib
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import onnxruntime
import torch
import torch.nn.functional as F
from absl import app, flags

from yolojax import darknet, export, network, pruning
from yolojax.network import Convolutional, Maxpool, Reorg, Route

CFG = flags.DEFINE_string("cfg", "third_party/darknet/yolov2-voc.cfg", "The network.")
SIZE = flags.DEFINE_integer("size", 416, "Input size in pixels.")
BATCHES = flags.DEFINE_list("batches", ["1", "8"], "Batch sizes.")
AMOUNTS = flags.DEFINE_list("amounts", ["0", "0.2", "0.4", "0.6", "0.8"], "Shares of the filters removed.")
ROUNDS = flags.DEFINE_integer("rounds", 15, "Turns of each contestant.")
KEEP = flags.DEFINE_bool("keep_memory", True, "network.keep_freed_memory, for the whole process and all contestants.")
PEAK = flags.DEFINE_float("peak_tflops", 0.0, "Of the GPU in bfloat16, for the share of it that is reached.")

OURS = "yolojax"
REST = 0.3  # seconds before each turn: threads of the one before spin for a while and would slow it
CALLS = 4  # in a turn; the first finds its weights out of the caches
Run = Callable[[], np.ndarray]  # the head, (B, H, W, A*(5+C))


def main(_: list[str]) -> None:
    if KEEP.value:
        network.keep_freed_memory()
    torch.set_grad_enabled(False)
    architecture = darknet.read_cfg(CFG.value).resized(SIZE.value, SIZE.value)
    variables = network.init(architecture, jax.random.key(0))
    dense: dict[tuple[int, str], float] = {}
    header = ["batch", "filters removed", "G MACs", "runtime", "ms", "after a rest", "images/s", "to the fastest other"]
    header += ["share of ideal speed-up", "TFLOP/s"]
    print("|", " | ".join(header), "|\n|" + "---|" * len(header))
    for amount in map(float, AMOUNTS.value):
        masks = pruning.filter_masks(architecture, variables["params"], amount, criterion="l1")
        masked = network.Model(architecture, variables).masked(masks).variables
        removed = pruning.remove_filters(architecture, variables, masks)
        for batch in map(int, BATCHES.value):
            images = np.random.default_rng(0).random((batch, SIZE.value, SIZE.value, 3), np.float32)
            runs = contestants(*removed, images)
            if amount:
                runs[f"{OURS}, masked and not removed"] = fast_run(architecture, masked, images)
            times, first_times = race(runs)
            best_other = min(seconds for name, seconds in times.items() if not name.startswith(OURS))
            for name, seconds in times.items():
                first = dense.setdefault((batch, name.removesuffix(", masked and not removed")), seconds)
                macs = pruning.macs(architecture if "masked" in name else removed[0])
                share = first / seconds / (pruning.macs(architecture) / pruning.macs(removed[0]))
                rate = 2 * macs * batch / seconds / 1e12
                peak = f" ({rate / PEAK.value:.0%} of peak)" if PEAK.value else ""
                row = [batch, f"{amount:.0%}", f"{macs / 1e9:.2f}", name, f"{1e3 * seconds:.1f}"]
                row += [f"{1e3 * first_times[name]:.1f}", f"{batch / seconds:.1f}", f"{seconds / best_other:.2f}"]
                row += [f"{share:.0%}", f"{rate:.3f}{peak}"]
                print("|", " | ".join(map(str, row)), "|", flush=True)


def contestants(architecture: network.Architecture, variables: Any, images: np.ndarray) -> dict[str, Run]:
    """{runtime: a call that returns the head}."""
    runs = {
        OURS: fast_run(architecture, variables, images),
        f"{OURS}, plain": plain_run(architecture, variables, images),
    }
    if jax.default_backend() == "cpu":
        runs["ONNX Runtime"] = onnx_run(architecture, variables, images)
        runs["OpenCV DNN"] = opencv_run(architecture, variables, images)
        runs["PyTorch, channels last"] = torch_run(architecture, variables, images, "cpu", torch.float32)
    else:
        runs[f"{OURS}, bfloat16"] = fast_run(architecture, variables, images, jnp.bfloat16)
        runs["PyTorch, compiled, bfloat16"] = torch_run(architecture, variables, images, "cuda", torch.bfloat16)
    return runs


def race(runs: dict[str, Run]) -> tuple[dict[str, float], dict[str, float]]:
    """Median seconds of each, taking turns, after all gave the same head; and of the first calls of the turns."""
    heads = {name: run() for name, run in runs.items()}
    for name, head in heads.items():
        error = np.abs(head - heads[OURS]).max() / np.abs(heads[OURS]).max()
        assert error <= (0.1 if "bfloat16" in name else 1e-3), f"{name} gives another head: relative error {error:.1e}"
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    first: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(ROUNDS.value):
        for name, run in runs.items():
            time.sleep(REST)
            for call in range(CALLS):
                start = time.perf_counter()
                run()
                (seconds if call else first)[name].append(time.perf_counter() - start)
    return _medians(seconds), _medians(first)


def _medians(values: dict[str, list[float]]) -> dict[str, float]:
    return {name: statistics.median(found) for name, found in values.items()}


def fast_run(architecture: network.Architecture, variables: Any, images: np.ndarray, dtype: Any = jnp.float32) -> Run:
    prepared = jax.device_put(network.prepare_fast(architecture, variables, size=images.shape[1]))
    call = jax.jit(functools.partial(network.apply_fast, architecture, dtype=dtype))
    device_images = jax.device_put(images)
    return lambda: np.asarray(call(prepared, device_images))


def plain_run(architecture: network.Architecture, variables: Any, images: np.ndarray) -> Run:
    placed, device_images = jax.device_put(variables), jax.device_put(images)
    call = jax.jit(functools.partial(network.apply, architecture))
    return lambda: np.asarray(call(placed, device_images))


def onnx_run(architecture: network.Architecture, variables: Any, images: np.ndarray) -> Run:
    model = export.onnx_model(architecture, variables).SerializeToString()
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    feed = {"images": np.ascontiguousarray(images.transpose(0, 3, 1, 2))}
    return lambda: session.run(None, feed)[0].transpose(0, 2, 3, 1)


def opencv_run(architecture: network.Architecture, variables: Any, images: np.ndarray) -> Run:
    with tempfile.TemporaryDirectory() as folder:
        stem = pathlib.Path(folder) / "m"
        darknet.save(architecture, variables, f"{stem}.cfg", f"{stem}.weights")
        net = cv2.dnn.readNetFromDarknet(f"{stem}.cfg", f"{stem}.weights")
    feed = np.ascontiguousarray(images.transpose(0, 3, 1, 2))

    def run() -> np.ndarray:
        net.setInput(feed)
        return net.forward(architecture.head_name).transpose(0, 2, 3, 1)

    return run


def torch_run(
    architecture: network.Architecture, variables: Any, images: np.ndarray, device: str, dtype: torch.dtype
) -> Run:
    leaves = {
        name: [
            torch.from_numpy(part["kernel"].transpose(3, 2, 0, 1).copy())
            .to(device, dtype)
            .to(memory_format=torch.channels_last),
            torch.from_numpy(part["bias"].copy()).to(device, dtype),
        ]
        for name, part in network.fold_batch_norm(architecture, variables).items()
    }
    feed = torch.from_numpy(images.transpose(0, 3, 1, 2).copy()).to(device, dtype).to(memory_format=torch.channels_last)
    forward = functools.partial(torch_forward, architecture, leaves)
    call = torch.compile(forward, mode="max-autotune") if device == "cuda" else forward
    return lambda: call(feed).float().cpu().numpy().transpose(0, 2, 3, 1)


def torch_forward(architecture: network.Architecture, leaves: dict[str, list[torch.Tensor]], x: torch.Tensor) -> Any:
    outputs: list[torch.Tensor] = []
    for index, layer in enumerate(architecture.layers):
        sources = [outputs[i] if i >= 0 else x for i in architecture.sources(index)]
        match layer:
            case Convolutional():
                kernel, bias = leaves[architecture.name(index)]
                y = F.conv2d(sources[0], kernel, bias, layer.stride, layer.padding)
                y = F.leaky_relu(y, 0.1) if layer.activation == "leaky" else y
            case Maxpool():
                before, after = layer.padding // 2, layer.padding - layer.padding // 2
                padded = F.pad(sources[0], (before, after) * 2, value=-torch.inf) if layer.padding else sources[0]
                y = F.max_pool2d(padded, layer.size, layer.stride)
            case Route():
                y = torch.cat(sources, 1)
            case Reorg():
                batch, channels, height, width = sources[0].shape
                s = layer.stride
                y = sources[0].reshape(batch, channels // s**2, height, s, width, s).permute(0, 3, 5, 1, 2, 4)
                y = y.reshape(batch, channels * s**2, height // s, width // s)
            case _:
                y = sources[0]
        outputs.append(y)
    return outputs[-1]


if __name__ == "__main__":
    app.run(main)
