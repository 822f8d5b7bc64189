"""The check that pages are opened with sees what it is there for."""

import pytest

from tests.browser import opened

PAGE = "<!doctype html><html lang='en'><title>page</title><h1>Open</h1>{}</html>"

pytestmark = pytest.mark.slow


def test_a_page_without_faults_opens(browser, tmp_path):
    page = tmp_path / "page.html"
    page.write_text(PAGE.format("<style>@media (prefers-color-scheme: dark) { h1 { color: rgb(1, 2, 3) } }</style>"))
    with opened(browser, page, width=390, dark=True) as seen:
        assert seen.inner_text("h1") == "Open"
        assert seen.evaluate("[innerWidth, getComputedStyle(document.querySelector('h1')).color]") == [
            390,
            "rgb(1, 2, 3)",
        ]


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("<script>console.error('no such thing')</script>", "no such thing"),
        ("<script>throw new Error('thrown')</script>", "thrown"),
        ("<img src='missing.png'>", "missing.png"),
        ("<img src='data:image/png;base64,AAAA'>", "data:image/png"),
        ("<script src='http://127.0.0.1:9/far.js'></script>", "far.js"),
        ("<div style='width: 2000px'>wide</div>", "wider than 1280"),
    ],
)
def test_a_fault_is_found(browser, tmp_path, fault, message):
    page = tmp_path / "page.html"
    page.write_text(PAGE.format(fault))
    with pytest.raises(AssertionError, match=message), opened(browser, page):
        pass
