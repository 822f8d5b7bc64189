"""A Markdown text as one HTML file that opens anywhere: its pictures inside, light and dark, readable on a phone.

The text is the one source. The page says the same, and adds what Markdown cannot: a bar in each cell that is a share,
tables and figures that scroll by themselves on a narrow screen, and a row of links to the sections.
"""

import base64
import html
import importlib.resources
import io
import pathlib
import re
from collections.abc import Sequence
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import OptionsDict
from PIL import Image

from yolojax.files import write_text

KINDS = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".svg": "image/svg+xml"}
ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
SHARE = re.compile(r"\d+(\.\d+)?%")
VIEW_BOX = re.compile(r'viewBox="0 0 ([\d.]+) ([\d.]+)"')
POINT = 4 / 3  # CSS pixels
MOST = 2400  # pixels of a picture's width in a page
LONG = 24  # letters of a cell that may break into lines, and should not into many
SECTIONS = 3  # from which on a page has links to them


def write(path: pathlib.Path, text: str) -> None:
    """Writes the text to `path`, which ends in .md, and the page beside it; its pictures lie in the same folder."""
    write_text(path, text)
    write_text(path.with_suffix(".html"), to_html(text, path.parent))


def to_html(text: str, folder: pathlib.Path) -> str:
    """The page of a Markdown text.

    Args:
      text: CommonMark with tables, its first line `# title`. HTML in it is shown as text.
      folder: what the pictures' paths are relative to. A paragraph of one picture is a figure; the picture's title, as
        in `![alt](file "title")`, is its caption.
    """
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    for name, rule in RULES.items():
        parser.add_render_rule(name, rule)
    tokens = parser.parse(text)
    _make_figures(tokens)
    _make_links(tokens)
    body = parser.renderer.render(tokens, parser.options, {"folder": folder})
    title = html.escape(text.splitlines()[0].lstrip("# "))
    style = (importlib.resources.files("yolojax.reporting") / "page.css").read_text()
    head = [
        '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{title}</title>",
        '<link rel="icon" href="data:,">',
        f"<style>\n{style}</style>",
    ]
    return "\n".join(
        ['<!doctype html>\n<html lang="en">\n<head>', *head, "</head>\n<body>", f"{body}</body>\n</html>\n"]
    )


def _make_figures(tokens: Sequence[Token]) -> None:
    """Paragraphs that hold one picture and nothing else become figures."""
    for start, inline, end in zip(tokens, tokens[1:], tokens[2:], strict=False):
        children = inline.children or []
        if start.type == "paragraph_open" and len(children) == 1 and children[0].type == "image":
            start.tag = end.tag = "figure"


def _make_links(tokens: list[Token]) -> None:
    """Gives the sections ids, and puts links to them before the first."""
    heads = [at for at, token in enumerate(tokens) if token.type == "heading_open" and token.tag == "h2"]
    links = []
    for number, at in enumerate(heads, start=1):
        tokens[at].attrSet("id", f"section-{number}")
        links.append(f'<a href="#section-{number}">{html.escape(_plain(tokens[at + 1]))}</a>')
    if len(heads) >= SECTIONS:
        tokens.insert(heads[0], Token("html_block", "", 0, content=f"<nav>{' '.join(links)}</nav>\n"))


def _plain(token: Token) -> str:
    return "".join(child.content for child in token.children or [])


def _table_open(
    renderer: RendererHTML, tokens: Sequence[Token], at: int, options: OptionsDict, env: dict[str, Any]
) -> str:
    return '<div class="wide" tabindex="0" role="region" aria-label="table">\n<table>\n'


def _table_close(
    renderer: RendererHTML, tokens: Sequence[Token], at: int, options: OptionsDict, env: dict[str, Any]
) -> str:
    return "</table>\n</div>\n"


def _cell_open(
    renderer: RendererHTML, tokens: Sequence[Token], at: int, options: OptionsDict, env: dict[str, Any]
) -> str:
    """A cell; one that is a share has a bar of that length, one that is a sentence has room for it."""
    token, text = tokens[at], _plain(tokens[at + 1])
    if len(text) > LONG:
        token.attrJoin("class", "long")
    if SHARE.fullmatch(text):
        token.attrJoin("class", "share")
        token.attrSet("style", f"{token.attrGet('style') or ''};--share:{min(float(text[:-1]) / 100, 1):.4g}")
    return renderer.renderToken(tokens, at, options, env)


def _image(renderer: RendererHTML, tokens: Sequence[Token], at: int, options: OptionsDict, env: dict[str, Any]) -> str:
    """A picture with its bytes, in a box of its own that scrolls; its title becomes the caption."""
    token = tokens[at]
    source, alt, title = str(token.attrGet("src")), _plain(token), token.attrGet("title")
    if ELSEWHERE.match(source) or pathlib.PurePath(source).suffix not in KINDS:
        return f'<img src="{html.escape(source)}" alt="{html.escape(alt)}">'
    content, kind, (width, height) = _embedded(env["folder"] / source)
    data = base64.b64encode(content).decode()
    picture = (
        f'<img src="data:{kind};base64,{data}" alt="{html.escape(alt)}" width="{width}" height="{height}" '
        f'style="--width:{width}px">'
    )
    caption = f"<figcaption>{html.escape(str(title))}</figcaption>" if title else ""
    return f'<div class="wide" tabindex="0" role="region" aria-label="{html.escape(alt)}">{picture}</div>{caption}'


def _embedded(path: pathlib.Path) -> tuple[bytes, str, tuple[int, int]]:
    """A picture's bytes, their kind and its size in CSS pixels; a huge one is made smaller."""
    content, kind = path.read_bytes(), KINDS[path.suffix]
    if path.suffix == ".svg":
        found = VIEW_BOX.search(content[:2000].decode())
        assert found, path
        return content, kind, (round(POINT * float(found[1])), round(POINT * float(found[2])))
    picture: Image.Image = Image.open(io.BytesIO(content))
    if picture.width > MOST:
        picture = picture.convert("RGB").resize(
            (MOST, round(picture.height * MOST / picture.width)), Image.Resampling.LANCZOS
        )
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=85)
        content, kind = buffer.getvalue(), KINDS[".jpg"]
    return content, kind, picture.size


RULES = {"table_open": _table_open, "table_close": _table_close, "td_open": _cell_open, "image": _image}
