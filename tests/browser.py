"""A page in headless Chromium: opened as a reader would open it, and checked for what a reader would not report."""

import contextlib
import pathlib
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
CAMERA = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]  # a moving pattern, without asking
BROKEN_IMAGES = "[...document.images].filter(i => !i.complete || !i.naturalWidth).map(i => i.currentSrc || i.src)"
SIDEWAYS = "document.documentElement.scrollWidth > innerWidth"


@contextlib.contextmanager
def opened(
    browser: "Browser", path: pathlib.Path, *, width: int = 1280, height: int = 900, dark: bool = False
) -> Iterator["Page"]:
    """The page of a file, by a double click: `file://`, no server.

    When the block ends, there was no error in the console, no exception, no request for anything but files and what the
    page made itself, none that failed; there is no broken image, and nothing to scroll sideways.
    """
    problems: list[str] = []
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light")
    page = context.new_page()
    page.on("console", lambda said: problems.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("requestfailed", lambda request: problems.append(f"failed: {request.url[:200]}"))
    page.on("request", lambda request: problems.extend(_elsewhere(request.url)))
    try:
        page.goto(path.resolve().as_uri())
        yield page
        problems += [f"broken image: {source[:200]}" for source in page.evaluate(BROKEN_IMAGES)]
        problems += [f"wider than {width} pixels"] if page.evaluate(SIDEWAYS) else []
        assert not problems, "\n".join(problems)
    finally:
        context.close()


def _elsewhere(url: str) -> list[str]:
    """A line on a request that leaves the reader's disk."""
    return [] if url.startswith(("file:", "data:", "blob:")) else [f"asked for {url[:200]}"]
