"""The runs' small network and data."""

from tests.runs.conftest import config, trained

__all__ = ["config", "trained"]
