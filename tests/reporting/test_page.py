import base64
import io
import re

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from tests.browser import opened
from yolojax.reporting import figures, markdown, page

SIZES = [(width, dark) for width in (1280, 390) for dark in (False, True)]


@pytest.fixture
def folder(tmp_path):
    """A page with everything that one may have, and what would break it."""
    figure = Figure()
    figure.subplots().plot([0, 1], [0, 1], color="black")
    figures.save(figure, tmp_path / "curve.svg")
    Image.fromarray(np.zeros((600, 3000, 3), np.uint8)).save(tmp_path / "wide.png")
    header = ["class", *(f"a long name of column {number}" for number in range(12))]
    rows = [["a|b", *["12.5%"] * 12], ["<b>tall</b>", *["1,234"] * 12]]
    path = "/a/path/without/any/place/to/break/" + "x" * 200
    lines = ["# A page & its <title>", "", "**The verdict.**", "", f"- From `{path}` and {path}.", ""]
    for name in ("One", "Two", "Three"):
        lines += [f"## {name}", "", *markdown.table(header, rows, strong=[1]), ""]
    lines += ['![a curve](curve.svg "What it shows.")', "", "![wide](wide.png)", "", "<script>throw 1</script>", ""]
    page.write(tmp_path / "page.md", "\n".join(lines))
    return tmp_path


def test_pictures_are_in_the_page(folder):
    text = (folder / "page.html").read_text()
    sources = re.findall(r'<img src="data:([^;]*);base64,([^"]*)"', text)
    assert [kind for kind, _ in sources] == ["image/svg+xml", "image/jpeg"]
    assert base64.b64decode(sources[0][1]) == (folder / "curve.svg").read_bytes()
    assert Image.open(io.BytesIO(base64.b64decode(sources[1][1]))).size == (2400, 480)  # it was huge
    assert "<figcaption>What it shows.</figcaption>" in text
    assert text.count("<figure>") == 2


def test_what_users_name_stays_text(folder):
    text = (folder / "page.html").read_text()
    assert "<title>A page &amp; its &lt;title&gt;</title>" in text
    assert "<td>a|b</td>" in text
    assert "&lt;b&gt;tall&lt;/b&gt;" in text
    assert "<script" not in text


def test_shares_have_bars_and_sections_have_links(folder):
    text = (folder / "page.html").read_text()
    assert text.count("--share:0.125") == 3 * 12
    assert re.findall(r'<a href="#([^"]*)">', text) == re.findall(r'<h2 id="([^"]*)">', text) != []


@pytest.mark.parametrize(("text", "share"), [("100.0%", "1"), ("250%", "1"), ("0%", "0"), ("5.25%", "0.0525")])
def test_a_bar_is_as_long_as_its_share_and_no_longer_than_the_cell(text, share, tmp_path):
    found = page.to_html("\n".join(["# t", "", *markdown.table(["a", "b"], [["x", text]])]), tmp_path)
    assert re.findall('--share:([^"]*)', found) == [share]


def test_what_is_no_picture_of_the_page_stays_a_link(tmp_path):
    found = page.to_html("# t\n\n![a](https://host/a.png) ![b](notes.txt)", tmp_path)
    assert re.findall('src="([^"]*)"', found) == ["https://host/a.png", "notes.txt"]


@pytest.mark.slow
@pytest.mark.parametrize(("width", "dark"), SIZES)
def test_it_opens_in_a_browser(browser, folder, width, dark):
    with opened(browser, folder / "page.html", width=width, dark=dark) as seen:
        assert seen.title() == "A page & its <title>"
        assert seen.inner_text("h1 + p") == "The verdict."
        red, green, blue = map(
            int, re.findall(r"\d+", seen.evaluate("getComputedStyle(document.body).backgroundColor"))
        )
        assert (red + green + blue < 200) == dark
        shown = seen.evaluate("[...document.images].map(i => i.getBoundingClientRect().width)")
        assert all(300 < pixels <= 1280 for pixels in shown)
        row = seen.locator("tr:has(strong) td").first
        assert row.evaluate("e => getComputedStyle(e).backgroundColor") != "rgba(0, 0, 0, 0)"


@pytest.mark.slow
def test_figures_are_dark_on_a_dark_screen(browser, folder):
    """The corner of a figure is its ground."""
    corners = []
    for dark in (False, True):
        with opened(browser, folder / "curve.svg", dark=dark) as seen:
            shot = Image.open(io.BytesIO(seen.screenshot(clip={"x": 0, "y": 0, "width": 4, "height": 4})))
            corners.append(shot.convert("RGB").getpixel((2, 2)))
    assert corners == [(255, 255, 255), (22, 25, 29)]
