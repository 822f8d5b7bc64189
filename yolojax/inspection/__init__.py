"""Looking inside: tables and pictures of networks and masks, for a notebook or a terminal."""

from yolojax.inspection.difference import difference
from yolojax.inspection.filters import filters, masked_filters
from yolojax.inspection.histograms import Histogram, Histograms, histograms
from yolojax.inspection.sources import leaves
from yolojax.inspection.sparsity import sparsity

__all__ = [
    "Histogram",
    "Histograms",
    "difference",
    "filters",
    "histograms",
    "leaves",
    "masked_filters",
    "sparsity",
]
