"""Tables for people: in Markdown, and for a terminal."""

from collections.abc import Collection, Sequence


def table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    texts: int = 1,
    last_texts: int = 0,
    strong: Collection[int] = (),
) -> list[str]:
    """The lines of a table; the first `texts` columns and the `last_texts` are text, the others are numbers.

    The rows whose numbers are in `strong` have their first cell in bold, and a page sets them off. The cells are
    Markdown, but for a vertical bar in them.
    """
    ruler = "|" + "---|" * texts + "---:|" * (len(header) - texts - last_texts) + "---|" * last_texts
    shown = [[f"**{row[0]}**", *row[1:]] if number in strong else row for number, row in enumerate(rows)]
    return [_line(header), ruler, *map(_line, shown)]


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


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
