"""What the tests of wrong and hostile files share: whole files to damage, and bounds on what reading them may cost.

Each module here tests the reader of one kind of FILE. A case is a test that damages such a file and reads it; its
decorator says what is wrong with the file and what the user sees. `scripts/make_input_docs.py` lists the cases in
docs/input.md.
"""

import contextlib
import dataclasses
import functools
import io
import pathlib
import re
import resource
import time
import tracemalloc
from collections.abc import Callable, Iterator

from yolojax import cli

NAMES = ("blue", "red")
MAX_SECONDS = 10  # of the processor
MAX_MEGABYTES = 300
MAX_LINE = 400  # characters, the folder apart
READ = "read"


@dataclasses.dataclass(frozen=True)
class Case:
    """What is `wrong` with a file, and what the user `sees`: READ, or a line on stderr where … stands for any text."""

    wrong: str
    sees: str
    note: str = ""


class Good:
    """Whole files of each kind, to be damaged; `folder` is the test's own copy of them."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder

    def write(self, name: str, content: str | bytes) -> pathlib.Path:
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def text(self, name: str) -> str:
        return (self.folder / name).read_text()

    def bytes(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def jpeg(self) -> bytes:
        return self.bytes("devkit/JPEGImages/000001.jpg")

    def long(self, name: str, size: int) -> pathlib.Path:
        """A file that takes no room on the disk."""
        with open(self.folder / name, "wb") as file:
            file.truncate(size)
        return self.folder / name


def refused(wrong: str, line: str) -> Callable[[Callable], Callable]:
    """Declares a file that the test's reader refuses with `line`."""
    return functools.partial(_test, Case(wrong, line))


def accepted(wrong: str, note: str = "") -> Callable[[Callable], Callable]:
    """Declares a file that is odd, and is read."""
    return functools.partial(_test, Case(wrong, READ, note))


def matches(pattern: str, line: str) -> bool:
    """Whether a line is the one that a case declares."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("…"))), line) is not None


def cfg_text(*sections: str, net: str = "width=32\nheight=32\nchannels=3") -> str:
    return "\n".join([f"[net]\n{net}", *sections])


def convolution(filters: int, size: int, stride: int) -> str:
    return f"[convolutional]\nfilters={filters}\nsize={size}\nstride={stride}\nactivation=linear\n"


def _test(case: Case, read: Callable[..., object]) -> Callable[..., None]:
    @functools.wraps(read)
    def test(good: Good, **fixtures: object) -> None:
        with _bounded():
            seen = _seen(functools.partial(read, good, **fixtures))
        assert len(seen.replace(str(good.folder), "")) < MAX_LINE
        assert matches(case.sees, seen), f"\nseen:     {seen}\nexpected: {case.sees}"

    test.case = case
    return test


def _seen(read: Callable[[], object]) -> str:
    """The line with which a command that reads this would end; READ when nothing is raised."""
    stderr = io.StringIO()
    try:
        with contextlib.redirect_stderr(stderr):
            try:
                read()
            except (ValueError, OSError) as error:
                cli.fail(error)
    except SystemExit as leaving:
        (line,) = stderr.getvalue().splitlines()
        return line if leaving.code == 2 else f"exit code {leaving.code}: {line}"
    return READ


@contextlib.contextmanager
def _bounded() -> Iterator[None]:
    """The block takes less than MAX_SECONDS and MAX_MEGABYTES, of Python's memory and of the process's."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    tracemalloc.start()
    start = time.process_time()
    try:
        yield
    finally:
        seconds, peak = time.process_time() - start, tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert seconds < MAX_SECONDS, f"{seconds:.1f} s"
    assert peak < MAX_MEGABYTES << 20, f"{peak >> 20} MB"
    assert grown < MAX_MEGABYTES << 10, f"{grown >> 10} MB"
