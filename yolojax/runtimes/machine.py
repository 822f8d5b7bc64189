"""What a time was measured on."""

import importlib.metadata
import os
import pathlib
import platform

import jax


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def describe_machine() -> str:
    """The processor, and how many of its cores this process may use; the accelerator where JAX has one."""
    if jax.default_backend() != "cpu":
        return f"{jax.device_count()} x {jax.devices()[0].device_kind}"
    return f"{_processor()}, {cores()} cores"


def describe_package(module: str) -> str:
    """The version of the package that a module comes from; empty where none says that it does."""
    packages = importlib.metadata.packages_distributions().get(module, [])
    return importlib.metadata.version(packages[0]) if packages else ""


def _processor() -> str:
    """Linux keeps the processor's name in a file; elsewhere Python knows what there is to know."""
    info = pathlib.Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
