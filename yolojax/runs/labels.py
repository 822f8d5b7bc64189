"""What needs labels is refused on data that have none."""

from yolojax import data, pruning
from yolojax.settings import Settings


def require_labels(source: str, what: str) -> None:
    """Raises ValueError when `what` is asked of a source without labels."""
    if not data.has_labels(source):
        raise ValueError(f"{source} has no labels, which {what} needs; prune and detect take pictures without labels")


def check_pruning(settings: Settings) -> None:
    """Raises ValueError for what a pruning run cannot do without labels, where its data have none."""
    source, criterion = settings.data.source, settings.prune.chosen
    if data.has_labels(source):
        return
    if not settings.train.nothing and settings.train.labels != "teacher":
        raise ValueError(
            f"{source} has no labels to train on; take train.steps=0 with train.epochs=0, or train.labels=teacher"
        )
    if criterion.needs is pruning.Needs.BATCHES:
        known = [
            name
            for name, other in pruning.CRITERIA.items()
            if other.kind == criterion.kind and other.needs is not pruning.Needs.BATCHES
        ]
        raise ValueError(
            f"prune.criterion {criterion.name!r} needs labels, and {source} has none; take one of {', '.join(known)}"
        )
