"""What the commands share: flags, several processes, and one line for a mistake of the user's."""

import logging as python_logging
import pathlib
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

import jax
from absl import app, flags, logging
from ml_collections import config_flags

DISTRIBUTED = flags.DEFINE_bool("distributed", False, "One of several processes; a TPU pod or SLURM tells the rest.")
COORDINATOR = flags.DEFINE_string("coordinator", None, "host:port of process 0, where nothing else tells it.")
PROCESSES = flags.DEFINE_integer("processes", None, "How many processes there are, with --coordinator.")
PROCESS_ID = flags.DEFINE_integer("process_id", None, "Which of them this is, with --coordinator.")
TRACEBACK = flags.DEFINE_bool("traceback", False, "Show where an error came from.")


def run(main: Callable[[list[str]], None], *, positional: bool = False) -> None:
    """Parses the flags and calls `main` with the arguments that are no flags; none are taken unless `positional`.

    A ValueError or an OSError is one line on stderr and exit code 2.
    """
    app.run(lambda argv: _guarded(main, argv[1:], positional), flags_parser=_parse)


def _parse(argv: Sequence[str]) -> list[str]:
    try:
        return flags.FLAGS(argv)
    except (flags.Error, AttributeError, KeyError, OSError) as error:
        fail(error)


def _guarded(main: Callable[[list[str]], None], arguments: list[str], positional: bool) -> None:
    logging.set_verbosity(logging.INFO)
    logging.get_absl_handler().addFilter(_is_ours_or_an_error)
    if arguments and not positional:
        fail(ValueError(f"unexpected argument {arguments[0]!r}; see --help"))
    if DISTRIBUTED.value or COORDINATOR.value:
        jax.distributed.initialize(COORDINATOR.value, PROCESSES.value, PROCESS_ID.value)
    try:
        main(arguments)
    except (ValueError, OSError) as error:
        if TRACEBACK.value:
            raise
        fail(error)


def _is_ours_or_an_error(record: python_logging.LogRecord) -> bool:
    """Orbax and TFDS tell a page of progress per checkpoint and data set."""
    return record.levelno >= python_logging.ERROR or "yolojax" in record.pathname


def fail(error: BaseException) -> NoReturn:
    """One line for the user, and exit code 2."""
    print("error:", " ".join(str(error).split()), file=sys.stderr)
    sys.exit(2)


def workdir(flag: str | None) -> pathlib.Path:
    """The folder for results: the flag's, else runs/ with the name of the config file."""
    if flag:
        return pathlib.Path(flag)
    return pathlib.Path("runs") / pathlib.Path(config_flags.get_config_filename(flags.FLAGS["config"])).stem
