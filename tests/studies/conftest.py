"""The runs' small network and data, and runs made by hand."""

from tests.reporting.conftest import make_run
from tests.runs.conftest import recipe, trained

__all__ = ["make_run", "recipe", "trained"]
