"""The console command: `yolojax` lists the commands, `yolojax NAME` runs one as `python -m yolojax.NAME` does."""

import ast
import difflib
import importlib
import pathlib
import sys

HELP = ("", "-h", "--help", "-help", "help")


def commands() -> dict[str, str]:
    """{command: the first line of its module's docstring}; the modules are read and not imported."""
    found = {}
    for path in sorted(pathlib.Path(__file__).parent.glob("*.py")):
        text = path.read_text()
        if "COMMAND.run(" in text and path.stem != "__main__":
            found[path.stem] = (ast.get_docstring(ast.parse(text)) or "").splitlines()[0]
    return found


def overview() -> str:
    """The commands, a line for each."""
    width = max(map(len, commands()))
    lines = ["yolojax: prune YOLOv2 in JAX, and take the smaller network elsewhere", ""]
    lines += [
        f"  python -m yolojax.{name:{width}}  {about.partition(': python -m')[0]}" for name, about in commands().items()
    ]
    lines += ["", "`yolojax NAME` is the same as `python -m yolojax.NAME`. --help shows a command's flags;"]
    return "\n".join([*lines, "--config.SECTION.FIELD=VALUE changes a field of a run's config."])


def main() -> None:
    """Runs the command that is named first, or lists all of them; exit code 2 for one that does not exist."""
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name in HELP:
        print(overview())
        return
    if name not in commands():
        near = difflib.get_close_matches(name, commands(), n=1)
        hint = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(commands())}"
        sys.exit(_mistake(f"no command {name!r}; {hint}"))
    module = importlib.import_module(f"yolojax.{name}")
    sys.argv = [f"yolojax {name}", *sys.argv[2:]]
    sys.path.insert(0, "")  # configs import one another, as under python -m
    module.COMMAND.run(module.main)


def _mistake(text: str) -> int:
    sys.stderr.write(f"error: {text}\n")
    return 2


if __name__ == "__main__":
    main()
