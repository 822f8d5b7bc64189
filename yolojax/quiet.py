"""What other libraries log through absl, left out where it tells a user nothing."""

import contextlib
import logging as python_logging
import pathlib
from collections.abc import Iterator

from absl import logging

PACKAGE = pathlib.Path(__file__).parent


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """The block, without the warnings of other libraries; errors, and what yolojax says itself, stay."""
    logger = logging.get_absl_logger()
    logger.addFilter(_is_told)
    try:
        yield
    finally:
        logger.removeFilter(_is_told)


def _is_told(record: python_logging.LogRecord) -> bool:
    return record.levelno >= python_logging.ERROR or pathlib.Path(record.pathname).is_relative_to(PACKAGE)
