"""From the pixels of images to what a network reads."""

import jax.numpy as jnp
from jaxtyping import Array, Float32, Shaped

from yolojax.network.architecture import Architecture
from yolojax.network.variables import AnyArray

GREY = (0.299, 0.587, 0.114)  # of red, green and blue: ITU-R BT.601, as in OpenCV and Darknet


def to_input(
    architecture: Architecture, images: Shaped[AnyArray, "batch height width _"]
) -> Float32[Array, "batch height width channels"]:
    """Pixels in 0..255, such as uint8 -> 0..1, which `apply` takes.

    Args:
      architecture: its `[net]` says how many channels it reads.
      images: (B, H, W, C) of as many channels; or RGB for a network of one, which then reads them as grey.

    Raises ValueError for other channels.
    """
    check_channels(architecture)
    values = jnp.asarray(images).astype(jnp.float32) / 255.0
    channels = architecture.net.channels
    if images.shape[-1] == channels:
        return values
    if images.shape[-1] != 3:
        wanted = "3" if channels == 3 else "3 or 1"
        raise ValueError(f"images of shape {images.shape}, expected (batch, height, width, {wanted})")
    return jnp.sum(values * jnp.asarray(GREY, jnp.float32)[None, None, None], axis=-1, keepdims=True)


def check_channels(architecture: Architecture) -> None:
    """Raises ValueError for a network that reads other images than RGB or grey ones."""
    if architecture.net.channels not in (1, 3):
        raise ValueError(f"a network of channels={architecture.net.channels}, expected 3 (RGB) or 1 (grey) for images")
