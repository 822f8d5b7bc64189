"""How far long work has come: a bar on a terminal, nothing where the output goes to a file or another program."""

import sys
from collections.abc import Iterable
from typing import Any

from tqdm import tqdm


def progress(items: Iterable[Any] | None = None, *, what: str, unit: str, hidden: bool = False, **about: Any) -> tqdm:
    """A tqdm bar on stderr over `items`, or for its `update`; silent with `hidden`, and where stderr is no terminal.

    `about` goes to tqdm: `total`, `initial`.
    """
    return tqdm(items, desc=what, unit=unit, disable=hidden or not on_terminal(), mininterval=0.5, **about)


def on_terminal() -> bool:
    """Whether a person watches stderr."""
    return sys.stderr.isatty()
