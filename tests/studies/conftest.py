"""The runs' small network and data."""

from tests.runs.conftest import recipe, trained

__all__ = ["recipe", "trained"]
