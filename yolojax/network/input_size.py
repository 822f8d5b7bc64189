"""The input size at which a network is run: its own, unless another one is asked for."""

from absl import logging

from yolojax.network.architecture import Architecture


def own_size(architecture: Architecture) -> int:
    """The side of the network's square input, in pixels. Raises ValueError where it is not square."""
    net = architecture.net
    if net.width != net.height:
        raise ValueError(f"the network's own size is {net.width}x{net.height}, expected a square; give another size")
    return net.width


def choose_size(architecture: Architecture, size: int) -> int:
    """`size` in pixels, or the network's own for 0; the log says so when they differ."""
    if not size:
        return own_size(architecture)
    net = architecture.net
    if (net.height, net.width) != (size, size):
        logging.info(
            "the network runs at %dx%d pixels, not at its own %dx%d, as asked for", size, size, net.width, net.height
        )
    return size
