"""What the commands share: flags, several processes, and one line for a mistake of the user's."""

import contextlib
import logging as python_logging
import os
import pathlib
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import NoReturn

import jax
import orbax.checkpoint
from absl import app, flags, logging
from ml_collections import config_flags

import yolojax

DISTRIBUTED = flags.DEFINE_bool("distributed", False, "One of several processes; a TPU pod or SLURM tells the rest.")
COORDINATOR = flags.DEFINE_string("coordinator", None, "host:port of process 0, where nothing else tells it.")
PROCESSES = flags.DEFINE_integer("processes", None, "How many processes there are, with --coordinator.")
PROCESS_ID = flags.DEFINE_integer("process_id", None, "Which of them this is, with --coordinator.")
MISTAKE, INTERRUPTED = 2, 130  # exit codes
# A process that is not heard of for so long is dead, and ends the others. JAX's own default is 100.
HEARTBEAT_SECONDS = 30
PACKAGE = pathlib.Path(yolojax.__file__).parent
ORBAX = pathlib.Path(orbax.checkpoint.__file__).parent
QUOTES = "\\'\""
DEBUG_NANS = flags.DEFINE_bool("debug-nans", False, "A traceback from the operation that first gives a NaN; slow.")
TRACEBACK = flags.DEFINE_bool("traceback", False, "Show where an error came from.")


def run(main: Callable[[list[str]], None], *, positional: bool = False) -> None:
    """Parses the flags and calls `main` with the arguments that are no flags; none are taken unless `positional`.

    A ValueError or an OSError is one line on stderr and exit code 2; Ctrl-C is one line and exit code 130.
    """
    for flag in flags.FLAGS.get_key_flags_for_module(__name__):
        flags.FLAGS.register_key_flag_for_module(sys.argv[0], flag)  # for --help
    app.run(lambda argv: _guarded(main, argv[1:], positional), flags_parser=_parse)


def _parse(argv: Sequence[str]) -> list[str]:
    try:
        return flags.FLAGS(argv)
    except (AttributeError, KeyError) as error:
        if str(error)[:1] not in QUOTES:
            fail(error)
        # The text is a representation of a representation: 'amout'\\nDid you mean...
        name, _, hint = str(error).partition("\\n")
        fail(ValueError(f"the config has no field {name.strip(QUOTES)!r}. {hint.strip(QUOTES)}"))
    except (flags.Error, OSError) as error:
        fail(error)
    except Exception as error:  # a config is a program, and raises what it likes
        if "--traceback" in argv:
            raise
        fail(ValueError(f"the config does not run: {type(error).__name__}: {error}"))


def _guarded(main: Callable[[list[str]], None], arguments: list[str], positional: bool) -> None:
    logging.set_verbosity(logging.INFO)
    logging.get_absl_handler().addFilter(_is_worth_a_line)
    jax.config.update("jax_debug_nans", DEBUG_NANS.value)
    if arguments and not positional:
        fail(ValueError(f"unexpected argument {arguments[0]!r}; see --help"))
    with _joined() if DISTRIBUTED.value or COORDINATOR.value else contextlib.nullcontext():
        try:
            main(arguments)
        except (ValueError, OSError) as error:
            if TRACEBACK.value:
                raise
            fail(error)
        except KeyboardInterrupt:
            sys.stderr.write("interrupted\n")
            sys.exit(INTERRUPTED)


@contextlib.contextmanager
def _joined() -> Iterator[None]:
    """Within the block this is one of several processes.

    After an error it ends at once: on the orderly way out JAX waits for the other processes, which wait for this one.
    """
    try:
        jax.distributed.initialize(
            COORDINATOR.value, PROCESSES.value, PROCESS_ID.value, heartbeat_timeout_seconds=HEARTBEAT_SECONDS
        )
    except ValueError as error:
        fail(ValueError(f"{error} Give --coordinator HOST:PORT --processes N --process_id I"))
    try:
        yield
    except SystemExit as leaving:
        if leaving.code in (MISTAKE, INTERRUPTED):
            _end(leaving.code)
        raise
    except Exception:
        traceback.print_exc()
        _end(1)


def _end(code: int) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _is_worth_a_line(record: python_logging.LogRecord) -> bool:
    """Whether yolojax itself logged the record, or another library an error.

    Orbax and TFDS log a page of progress per checkpoint and data set. Orbax also logs, with a traceback per thread, the
    errors that it then raises.
    """
    path = pathlib.Path(record.pathname)
    if path.is_relative_to(PACKAGE):
        return True
    return record.levelno >= python_logging.ERROR and not path.is_relative_to(ORBAX)


def fail(error: BaseException) -> NoReturn:
    """One line for the user, and exit code 2."""
    sys.stderr.write(f"error: {' '.join(str(error).split())}\n")  # one write: other threads may have something to say
    sys.exit(MISTAKE)


def workdir(flag: str | None) -> pathlib.Path:
    """The folder for results: the flag's, else runs/ with the name of the config file."""
    if flag:
        return pathlib.Path(flag)
    return pathlib.Path("runs") / pathlib.Path(config_flags.get_config_filename(flags.FLAGS["config"])).stem
