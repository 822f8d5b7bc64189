"""Lists the commands: python -m yolojax"""

import ast
import pathlib


def commands() -> dict[str, str]:
    """{command: the first line of its module's docstring}; the modules are read and not imported."""
    found = {}
    for path in sorted(pathlib.Path(__file__).parent.glob("*.py")):
        text = path.read_text()
        if "COMMAND.run(" in text and path.stem != "__main__":
            found[path.stem] = (ast.get_docstring(ast.parse(text)) or "").splitlines()[0]
    return found


def main() -> None:
    width = max(map(len, commands()))
    print("yolojax: prune YOLOv2 in JAX, and take the smaller network elsewhere\n")
    for name, about in commands().items():
        print(f"  python -m yolojax.{name:{width}}  {about.partition(': python -m')[0]}")
    print("\n--help shows a command's flags; --config.SECTION.FIELD=VALUE changes a field of a run's config.")


if __name__ == "__main__":
    main()
