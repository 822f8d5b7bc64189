"""What a run leaves for people: pages, tables, pictures and figures."""

from yolojax.reporting import (
    comparison,
    entries,
    figures,
    markdown,
    page,
    pareto,
    pictures,
    report,
    stages,
    trained,
)

__all__ = ["comparison", "entries", "figures", "markdown", "page", "pareto", "pictures", "report", "stages", "trained"]
