"""What the commands share: flags, several processes, and one line for a user's mistake."""

import contextlib
import functools
import inspect
import logging as python_logging
import os
import pathlib
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

import jax
import ml_collections
import orbax.checkpoint
from absl import flags, logging
from ml_collections import config_flags

from yolojax import network, settings

MISTAKE, INTERRUPTED = 2, 130  # exit codes
# A process that is silent for this long counts as dead, and ends the others. JAX's own default is 100.
HEARTBEAT_SECONDS = 30
Holder = flags.FlagHolder[bool] | flags.FlagHolder[int] | flags.FlagHolder[float] | flags.FlagHolder[str | list[str]]
PACKAGE = pathlib.Path(__file__).parent
ORBAX = pathlib.Path(orbax.checkpoint.__file__).parent
QUOTES = "\\'\""
# Flags of other commands, and what they are in a config.
SECTION_FIELDS = {"model": "model.start", "data": "data.source", "split": "data.eval_split"}
HELP = ("--help", "-help", "-h", "--helpfull", "--helpshort")


class Command:
    """One command's flags, and how it runs. Each command has flags of its own, so all of them can be imported.

    `string`, `integer`, `number`, `boolean`, `choice`, `strings` and `many` define a flag, as absl's `DEFINE_*` do.
    With `positional`, arguments that are no flags go to the command; else they are a mistake.
    """

    def __init__(self, *, positional: bool = False) -> None:
        self.positional = positional
        self._default_config = ""
        self.flags = flags.FlagValues()
        self.string = functools.partial(flags.DEFINE_string, flag_values=self.flags)
        self.integer = functools.partial(flags.DEFINE_integer, flag_values=self.flags)
        self.number = functools.partial(flags.DEFINE_float, flag_values=self.flags)
        self.boolean = functools.partial(flags.DEFINE_bool, flag_values=self.flags)
        self.choice = functools.partial(flags.DEFINE_enum, flag_values=self.flags)
        self.strings = functools.partial(flags.DEFINE_list, flag_values=self.flags)
        self.many = functools.partial(flags.DEFINE_multi_string, flag_values=self.flags)
        self.distributed = self.boolean(
            "distributed", False, "One of several processes; on a TPU pod or under SLURM no other flag is needed."
        )
        self.coordinator = self.string(
            "coordinator", None, "host:port of process 0, where the environment does not give it."
        )
        self.processes = self.integer("processes", None, "How many processes there are, with --coordinator.")
        self.process_id = self.integer("process_id", None, "Which of them this is, with --coordinator.")
        self.debug_nans = self.boolean(
            "debug-nans", False, "A traceback from the operation that first gives a NaN; slow."
        )
        self.traceback = self.boolean("traceback", False, "Show where an error came from.")

    def config(self, default: str) -> flags.FlagHolder[ml_collections.ConfigDict]:
        """Defines --config and --workdir."""
        self._default_config = default
        self._workdir = self.string("workdir", None, "Where results go; runs/<config's name> by default.")
        return config_flags.DEFINE_config_file(
            "config", default, "What to do; --config.SECTION.FIELD=VALUE overrides.", flag_values=self.flags
        )

    @property
    def workdir(self) -> pathlib.Path:
        """The folder for results: the flag's, else runs/ with the name of the config file."""
        if self._workdir.value:
            return pathlib.Path(self._workdir.value)
        return pathlib.Path("runs") / pathlib.Path(config_flags.get_config_filename(self.flags["config"])).stem

    def run(self, main: Callable[[list[str]], None]) -> None:
        """Parses the flags and calls `main` with the other arguments.

        --help prints the docstring of the command's module and the flags, with the fields of a config. A ValueError
        or an OSError is one line on stderr and exit code 2; Ctrl-C is one line and exit code 130.
        """
        argv = with_config(sys.argv, self._default_config) if self._default_config else sys.argv
        if any(argument in HELP for argument in argv):
            parse([argument for argument in argv if argument not in HELP], self.flags, complete=False)
            print(help_text(inspect.getdoc(inspect.getmodule(main)) or "", self.flags))
            return
        arguments = parse(argv, self.flags)
        flags.FLAGS.mark_as_parsed()  # for the libraries that ask absl
        logging.use_absl_handler()
        logging.set_verbosity(logging.INFO)
        logging.get_absl_handler().addFilter(_is_worth_a_line)
        jax.config.update("jax_debug_nans", self.debug_nans.value)
        network.keep_freed_memory()
        if arguments and not self.positional:
            fail(ValueError(f"unexpected argument {arguments[0]!r}; see --help"))
        with self._joined() if self.distributed.value or self.coordinator.value else contextlib.nullcontext():
            try:
                main(arguments)
            except (ValueError, OSError) as error:
                if self.traceback.value:
                    raise
                fail(error)
            except KeyboardInterrupt:
                sys.stderr.write("interrupted\n")
                sys.exit(INTERRUPTED)

    @contextlib.contextmanager
    def _joined(self) -> Iterator[None]:
        """Within the block this is one of several processes.

        After an error it ends at once: on the orderly way out JAX waits for the other processes, which wait for this
        one.
        """
        try:
            jax.distributed.initialize(
                self.coordinator.value,
                self.processes.value,
                self.process_id.value,
                heartbeat_timeout_seconds=HEARTBEAT_SECONDS,
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


def help_text(about: str, values: flags.FlagValues) -> str:
    """`about`, the flags with their defaults, and the fields of a config where the command takes one."""
    config, lines = None, [about, "", "Flags:"]
    for name in sorted(values):
        flag = values[name]
        if name == "config":
            config = flag.value
        if not name.startswith("config."):
            known = flag.default not in (None, "", False, []) and name != "config"
            default = f" (default: {flag.default_as_str})" if known else ""
            lines.append(f"  --{name}  {flag.help}{default}")
    if config is not None:
        lines += [
            "",
            "Fields of the config, as they are set now:",
            *(f"  {f}" for f in settings.describe_fields(config)),
        ]
    return "\n".join(lines)


def parse(argv: Sequence[str], values: flags.FlagValues, *, complete: bool = True) -> list[str]:
    """The arguments that are not flags; a mistake ends the command. Unless `complete`, required ones may be missing."""
    try:
        arguments = values(argv)[1:]
        if "config" in values:
            _check_overrides(values["config"], values["config"].value)
        return arguments
    except (AttributeError, KeyError) as error:
        if str(error)[:1] not in QUOTES:
            fail(error)
        # The text is a representation of a representation: 'amout'\\nDid you mean...
        name, _, hint = str(error).partition("\\n")
        fail(ValueError(f"the config has no field {name.strip(QUOTES)!r}. {hint.strip(QUOTES)}"))
    except flags.UnrecognizedFlagError as error:
        fail(ValueError(f"{error}{_in_config(error.flagname, values)}"))
    except flags.Error as error:
        if not complete:
            return []
        missing = [name for name in values if f"Flag --{name} must have a value" in str(error)]
        fail(ValueError(f"--{missing[0]} is missing; see --help") if missing else error)
    except OSError as error:
        fail(error)
    except Exception as error:  # a config is a program, and raises what it likes
        if "--traceback" in argv:
            raise
        fail(ValueError(f"the config does not run: {type(error).__name__}: {error}"))


def with_config(argv: Sequence[str], default: str) -> list[str]:
    """The arguments with --config=PATH, `default` where they name none; a missing file ends the command.

    A path that does not exist here is looked for beside the package, where a checkout has its configs. The folder of a
    config's folder can be imported from, since configs import one another.
    """
    argv = list(argv)
    index = next((i for i, argument in enumerate(argv) if re.match(r"--?config(=|$)", argument)), 0)
    if not index:
        argv.insert(1, f"--config={default}")
    elif "=" not in argv[index] and len(argv) > index + 1:
        argv[index : index + 2] = [f"--config={argv[index + 1]}"]
    index = index or 1
    path = pathlib.Path(argv[index].partition("=")[2])
    beside = PACKAGE.parent / path
    found = path if path.is_file() or not beside.is_file() else beside
    if not found.is_file():
        fail(ValueError(f"--config {path}: no such file, expected a config, as those in the folder configs"))
    sys.path.append(str(found.resolve().parents[1]))
    argv[index] = f"--config={found}"
    return argv


def _check_overrides(flag: flags.Flag, config: Any) -> None:
    """Ends the command where the amount was given and a budget of the config takes its place."""
    if "prune.amount" not in config_flags.get_override_values(flag):
        return
    if budget := config.prune.budget:
        fail(
            ValueError(
                f"prune.amount has no effect beside the config's prune.budget={budget}; set that, or add "
                "--config.prune.budget= for no budget"
            )
        )


def _in_config(name: str, values: flags.FlagValues) -> str:
    """The field of the config that someone meant who gave the flag `name`; "" where there is none."""
    if "config" not in values:
        return ""
    known = [field.partition("=")[0].strip() for field in settings.describe_fields(values["config"].value)]
    wanted = SECTION_FIELDS.get(name, f".{name}")
    near = [field for field in known if field.endswith(wanted)]
    return f". Did you mean {' or '.join(near)}?" if near else ""


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
