"""Pages for people: Markdown, and the same as one HTML file with its pictures inside."""

import base64
import pathlib
import re
from collections.abc import Sequence

from markdown_it import MarkdownIt

STYLE = """body { font: 16px/1.5 sans-serif; max-width: 70em; margin: 2em auto; padding: 0 1em; }
table { border-collapse: collapse; display: block; overflow-x: auto; }
th, td { border: 1px solid #ccc; padding: .2em .6em; } th { background: #f4f4f4; } img { max-width: 100%; }"""
KINDS = {".png": "image/png", ".jpg": "image/jpeg"}


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, texts: int = 1) -> list[str]:
    """The lines of a table; the first `texts` columns are text, the others are numbers."""
    ruler = "|" + "---|" * texts + "---:|" * (len(header) - texts)
    return [f"| {' | '.join(header)} |", ruler, *(f"| {' | '.join(row)} |" for row in rows)]


def aligned(header: Sequence[str], rows: Sequence[Sequence[str]], *, texts: int = 1) -> list[str]:
    """The same table for a terminal, its columns as wide as they need."""
    lines = [header, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    sides = "<" * texts + ">" * (len(header) - texts)
    return [
        "  ".join(f"{cell:{side}{width}}" for cell, side, width in zip(line, sides, widths, strict=True)).rstrip()
        for line in lines
    ]


def without_empty(header: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[list[str], list[list[str]]]:
    """The table without the columns in which every row has "-"."""
    kept = [i for i in range(len(header)) if any(row[i] != "-" for row in rows)]
    return [header[i] for i in kept], [[row[i] for i in kept] for row in rows]


def to_html(text: str, folder: pathlib.Path) -> str:
    """A page that needs no other file: the pictures, whose paths are relative to `folder`, are in it."""
    title = text.splitlines()[0].lstrip("# ")
    body = MarkdownIt("commonmark").enable("table").render(text)

    def inline(match: re.Match[str]) -> str:
        path = folder / match[1]
        content = base64.b64encode(path.read_bytes()).decode()
        return f'src="data:{KINDS[path.suffix]};base64,{content}"'

    body = re.sub(r'src="([^":]+)"', inline, body)
    head = f'<meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{body}</body></html>\n'
