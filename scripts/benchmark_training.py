"""A training step in yolojax and in PyTorch, in turns, and the share of it that convolutions alone take.

    python scripts/benchmark_training.py --cfg third_party/darknet/yolov2-tiny-voc.cfg --size 288 --batch 8

The same network in both, dense and without a share of its filters: batch norm in training mode, SGD with momentum and
decay, and the mean of the squared head as the loss, which takes next to no time. PyTorch runs channels last.
`convolutions` is the sum over the layers of each convolution alone, forward and both backward passes, in JAX. On a GPU:
bfloat16, PyTorch compiled. Needs `pip install -e .[benchmark]`.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
import torch.nn.functional as F
from absl import app, flags
from jax import lax

from yolojax import darknet, network, pruning, runtimes, training
from yolojax.network import Architecture, Convolutional, Maxpool, Model, Reorg, Route

CFG = flags.DEFINE_string("cfg", "third_party/darknet/yolov2-tiny-voc.cfg", "The network.")
SIZE = flags.DEFINE_integer("size", 288, "Input size in pixels.")
BATCH = flags.DEFINE_integer("batch", 8, "Images in a step.")
AMOUNTS = flags.DEFINE_list("amounts", ["0", "0.6"], "Shares of the filters of each layer that are removed.")
ROUNDS = flags.DEFINE_integer("rounds", 7, "Turns of each contestant.")

RATE, MOMENTUM, DECAY = 1e-4, 0.9, 5e-4
GPU = jax.default_backend() == "gpu"
Step = Callable[[], object]


def main(_: list[str]) -> None:
    network.keep_freed_memory()
    architecture = darknet.read_cfg(CFG.value).resized(SIZE.value, SIZE.value)
    whole = Model(architecture, network.init(architecture, jax.random.key(0)))
    print(
        f"{CFG.value} at {SIZE.value}, batch {BATCH.value}; {runtimes.describe_machine()}, JAX {jax.__version__}, "
        f"PyTorch {torch.__version__}\n"
    )
    header = [
        "filters removed",
        "G MACs",
        "yolojax ms",
        "PyTorch ms",
        "yolojax : PyTorch",
        "convolutions ms",
        "of the step",
    ]
    print("|", " | ".join(header), "|\n|" + "---|" * len(header))
    for amount in map(float, AMOUNTS.value):
        masks = pruning.filter_masks(architecture, whole.params, amount, criterion="l1", scope="layer")
        model = Model(*pruning.remove_filters(architecture, whole.variables, masks))
        images = np.random.default_rng(0).integers(0, 256, (BATCH.value, SIZE.value, SIZE.value, 3), np.uint8)
        steps = {"yolojax": jax_step(model, images), "PyTorch": torch_step(model, images)}
        times = {name: timing.median for name, timing in runtimes.race(steps, rounds=ROUNDS.value).items()}
        alone = sum(
            timing.median for timing in runtimes.race(convolutions(model.architecture), rounds=ROUNDS.value).values()
        )
        row = [f"{amount:.0%}", f"{pruning.macs(model.architecture) / 1e9:.2f}"]
        row += [f"{1e3 * seconds:.0f}" for seconds in times.values()]
        row += [f"{times['yolojax'] / times['PyTorch']:.2f}", f"{1e3 * alone:.0f}", f"{alone / times['yolojax']:.0%}"]
        print("|", " | ".join(row), "|", flush=True)


def squares(head: jax.Array, batch: training.losses.Batch, *, seen: jax.Array) -> dict[str, jax.Array]:
    """The loss of both contestants."""
    return {"squares": jnp.mean(head**2)}


def jax_step(model: Model, images: np.ndarray) -> Step:
    """A call that trains on."""
    optimizer = training.make_optimizer("sgd", RATE, momentum=MOMENTUM, decay=DECAY)
    dtype = jnp.bfloat16 if GPU else jnp.float32
    step = training.compile_train_step(model.architecture, optimizer, loss_fn=squares, dtype=dtype)
    state = [training.replicate(training.create_state(model.variables, optimizer))]
    batch = {"image": images}

    def run() -> None:
        state[0], metrics = step(state[0], batch)
        jax.block_until_ready(metrics)

    return run


def convolutions(architecture: Architecture) -> dict[str, Step]:
    """{convolution: a call of it alone, with its gradients}; the first has none towards the images."""
    calls = {}
    rng = np.random.default_rng(0)
    for conv in architecture.convolutions:
        (source,) = architecture.sources(conv.index)
        shape = architecture.shapes[source] if source >= 0 else (SIZE.value, SIZE.value, 3)
        x = jnp.asarray(rng.random((BATCH.value, *shape), np.float32))
        kernel = jnp.asarray(rng.random(conv.kernel_shape, np.float32))
        out = jnp.asarray(rng.random((BATCH.value, *architecture.shapes[conv.index]), np.float32))
        call = jax.jit(functools.partial(gradients, conv.layer, first=source < 0))
        calls[conv.name] = lambda call=call, given=(x, kernel, out): jax.block_until_ready(call(*given))
    return calls


def gradients(layer: Convolutional, x: jax.Array, kernel: jax.Array, out: jax.Array, *, first: bool) -> Any:
    """The convolution, and what its output's gradient gives for its kernel and input."""

    def convolve(x: jax.Array, kernel: jax.Array) -> jax.Array:
        return lax.conv_general_dilated(
            x,
            kernel,
            (layer.stride,) * 2,
            [(layer.padding,) * 2] * 2,
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            feature_group_count=layer.groups,
        )

    if first:
        result, back = jax.vjp(lambda kernel: convolve(x, kernel), kernel)
    else:
        result, back = jax.vjp(convolve, x, kernel)
    return result, back(out)


def torch_step(model: Model, images: np.ndarray) -> Step:
    """The same in PyTorch."""
    device, dtype = ("cuda", torch.bfloat16) if GPU else ("cpu", torch.float32)
    net = Torch(model).to(device).to(memory_format=torch.channels_last).train()
    kernels = [leaf for leaf in net.parameters() if leaf.dim() == 4]
    others = [leaf for leaf in net.parameters() if leaf.dim() != 4]
    groups = [{"params": kernels, "weight_decay": DECAY}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.SGD(groups, lr=RATE, momentum=MOMENTUM)
    forward = torch.compile(net, mode="max-autotune") if GPU else net
    feed = torch.from_numpy(images.transpose(0, 3, 1, 2).copy()).to(device).to(memory_format=torch.channels_last)

    def run() -> None:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device, dtype, enabled=GPU):
            head = forward(feed.float() / 255)
        head.float().square().mean().backward()
        optimizer.step()
        if GPU:
            torch.cuda.synchronize()

    return run


class Torch(torch.nn.Module):
    """The network in PyTorch, with the same kernels."""

    def __init__(self, model: Model):
        super().__init__()
        self.architecture = model.architecture
        self.convolutions, self.norms = torch.nn.ModuleDict(), torch.nn.ModuleDict()
        for conv in model.architecture.convolutions:
            layer, normalised = conv.layer, conv.layer.batch_normalize
            one = torch.nn.Conv2d(
                conv.in_channels,
                layer.filters,
                layer.size,
                layer.stride,
                layer.padding,
                groups=layer.groups,
                bias=not normalised,
            )
            kernel = np.asarray(model.params[conv.name]["kernel"]).transpose(3, 2, 0, 1).copy()
            one.weight = torch.nn.Parameter(torch.from_numpy(kernel))
            self.convolutions[conv.name] = one
            if normalised:
                self.norms[conv.name] = torch.nn.BatchNorm2d(layer.filters, momentum=0.01)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        outputs: list[torch.Tensor] = []
        for index, layer in enumerate(self.architecture.layers):
            name = self.architecture.name(index)
            sources = [outputs[i] if i >= 0 else x for i in self.architecture.sources(index)]
            match layer:
                case Convolutional():
                    y = self.convolutions[name](sources[0])
                    y = self.norms[name](y) if name in self.norms else y
                    y = F.leaky_relu(y, 0.1, inplace=True) if layer.activation == "leaky" else y
                case Maxpool():
                    before, after = layer.padding // 2, layer.padding - layer.padding // 2
                    padded = (
                        F.pad(sources[0], (before, after) * 2, value=-torch.inf) if layer.stride == 1 else sources[0]
                    )
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
