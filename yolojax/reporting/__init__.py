"""What a run leaves for people: pages, tables, pictures and figures."""

from yolojax.reporting import figures, markdown, pictures, report

__all__ = ["figures", "markdown", "pictures", "report"]
