"""Many pruning runs of one network as one study: its rows, and the report over all of them."""

from yolojax.studies.run import run_study

__all__ = ["run_study"]
