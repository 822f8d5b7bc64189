"""Which classes the caller's names and the objects of the data have in common."""

from collections.abc import Mapping, Sequence

from absl import logging

MAX_SHOWN = 40  # of a list of classes, in a message


def compare_classes(names: Sequence[str], objects: Mapping[str, int], source: str) -> None:
    """Logs a table where the classes of the data are not those that are wanted.

    Args:
      names: the classes that are wanted.
      objects: {class: its objects in the data}; empty where the data have none, or nothing is known of them.
      source: the data, in the log and in errors.

    Raises:
      ValueError: there are objects, and none of a class that is wanted. The message has both lists.
    """
    if not objects or objects.keys() == set(names):
        return
    if not objects.keys() & set(names):
        raise ValueError(
            f"{source}: no class in common: expected {_listed(names)}; the data have {_listed(sorted(objects))}"
        )
    logging.warning("%s: the classes of the data are not those that are wanted\n%s", source, _table(names, objects))


def _table(names: Sequence[str], objects: Mapping[str, int]) -> str:
    unknown = sorted(objects.keys() - set(names), key=lambda name: (-objects[name], name))
    rows = [(name, objects.get(name, 0), "" if name in objects else "  not in the data") for name in names]
    rows += [(name, objects[name], "  not wanted, dropped") for name in unknown]
    width = max(5, *(len(name) for name, _, _ in rows[:MAX_SHOWN]))
    lines = [f"  {'class':{width}}  objects"]
    lines += [f"  {name:{width}}  {count:7}{note}" for name, count, note in rows[:MAX_SHOWN]]
    return "\n".join(lines + ([f"  and {len(rows) - MAX_SHOWN} more"] if len(rows) > MAX_SHOWN else []))


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MAX_SHOWN} more" if len(names) > MAX_SHOWN else ""
    return ", ".join(names[:MAX_SHOWN]) + more
