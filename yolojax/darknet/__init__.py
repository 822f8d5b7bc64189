"""Darknet in, Darknet out: `.cfg` text and `.weights` bytes to a pair (architecture, variables), and back."""

from yolojax.darknet.cfg import format_cfg, parse_cfg, read_cfg, write_cfg
from yolojax.darknet.names import check_name, read_names
from yolojax.darknet.pair import load, load_backbone, save
from yolojax.darknet.sections import CfgError
from yolojax.darknet.weights import Header, WeightsError, read_header, read_weights, write_weights

__all__ = [
    "CfgError",
    "Header",
    "WeightsError",
    "check_name",
    "format_cfg",
    "load",
    "load_backbone",
    "parse_cfg",
    "read_cfg",
    "read_header",
    "read_names",
    "read_weights",
    "save",
    "write_cfg",
    "write_weights",
]
