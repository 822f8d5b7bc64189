"""Any runs side by side: a table for the terminal, and a page with the Pareto figure."""

import dataclasses
import json
import pathlib
from collections.abc import Collection, Sequence

from yolojax.files import Json, Path, write_json
from yolojax.reporting import markdown, page, pareto
from yolojax.reporting.entries import Entry, read_run, read_runs
from yolojax.settings import PruneSettings, Settings

CAPTION = "Up and left is better. Joined: what no other network here beats."
NEARLY = 0.95  # of the unpruned network's mAP
# Of the section train: what has a column of its own, or leads nowhere else.
NOT_SHOWN = ("steps", "epochs", "log_every", "save_every", "eval_every")


def compare(paths: Sequence[Path], out: Path, *, baseline: str = "", stages: bool = False) -> str:
    """Reads runs and leaves compare.md, compare.html, compare.json and pareto*.svg in `out`; the terminal's tables.

    Args:
      paths: as `read_runs` takes them.
      out: a folder; it is made where it is missing.
      baseline: the workdir of the run that shares are of, such as the unpruned network trained on alike; by default
        each run's own unpruned network.
      stages: all networks of a pruning run and not only the last.

    Runs that were measured on other data or by another protocol get a table and a figure of their own. Raises
    ValueError for what `read_runs` refuses, and for a baseline that was measured otherwise than a run.
    """
    entries = read_runs(paths, stages=stages)
    if baseline:
        entries = against(entries, read_run(baseline)[-1])
    folder = pathlib.Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    texts, lines = [], ["# Runs side by side", ""]
    for number, found in enumerate(groups(entries)):
        shown, picture = in_order(with_unpruned(found)), f"pareto{number + 1 if number else ''}.svg"
        pareto.figure(shown, folder / picture)
        about = [f"{found[0].data}; {found[0].protocol}", *shares_of(shown)]
        texts += [*about, "", *short_table(shown), ""]
        lines += [f"## {found[0].data}", "", *verdict(shown), *page_table(shown), ""]
        lines += [*(f"- {line}." for line in (found[0].protocol, *shares_of(shown))), ""]
        lines += [f'![{pareto.title(shown)}]({picture} "{CAPTION}")', ""]
    page.write(folder / "compare.md", "\n".join(lines))
    write_json(folder / "compare.json", [to_json(entry) for entry in entries])
    return "\n".join(texts)


def against(entries: Sequence[Entry], baseline: Entry) -> tuple[Entry, ...]:
    """The entries with their shares of `baseline`; ValueError for one that was measured on something else."""
    for entry in entries:
        if (entry.data, entry.protocol) != (baseline.data, baseline.protocol):
            raise ValueError(
                f"baseline {baseline.name} was measured on {baseline.data}, {baseline.protocol}; "
                f"{entry.name} on {entry.data}, {entry.protocol}: compare runs that were measured alike"
            )
    reference = dataclasses.replace(baseline, unpruned=None)
    return tuple(dataclasses.replace(entry, unpruned=reference) for entry in entries)


def groups(entries: Sequence[Entry]) -> list[list[Entry]]:
    """The entries that may be compared: those that were measured on the same data by the same protocol."""
    found: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        found.setdefault((entry.data, entry.protocol), []).append(entry)
    return list(found.values())


def with_unpruned(entries: Sequence[Entry]) -> list[Entry]:
    """The entries, and each unpruned network that shares are of once, where no entry has its numbers already."""
    found = {_numbers(entry): entry for entry in reversed(entries)}
    added = {_numbers(entry.unpruned): entry.unpruned for entry in entries if entry.unpruned}
    return [*(entry for numbers, entry in added.items() if numbers not in found), *entries]


def in_order(entries: Sequence[Entry]) -> list[Entry]:
    """From the most MACs to the fewest, of equal ones from the most bytes on, then by mAP."""
    return sorted(entries, key=lambda e: (-e.macs, -e.nonzero, -(e.compressed_bytes or 0), -e.map_11point, e.name))


def table(entries: Sequence[Entry]) -> tuple[list[str], list[list[str]]]:
    """Header and rows, the entries in the order given; a column that says nothing of any is left out."""
    spread_of_settings = differing([entry.config["train"] for entry in entries if entry.config and entry.retrained])
    quantity = entries[0].quantity
    header = ["run", f"{quantity} (11-point)", f"{quantity} (area)", _share(entries), "MACs", "of MACs", "ms"]
    header += ["parameters", "not 0", ".weights MB", "compressed MB", "steps", "seconds", "best for", "what was done"]
    costs = pareto.costs(entries)
    beaten = [pareto.dominated(entries, cost.of) for cost in costs]
    rows = []
    for number, entry in enumerate(entries):
        best = [cost.name for cost, lost in zip(costs, beaten, strict=True) if not lost[number]]
        rows.append(
            [
                pareto.label(entry),
                f"{entry.map_11point:.4f}" + (f" ± {entry.spread:.4f}" if entry.spread is not None else ""),
                f"{entry.map_area:.4f}",
                _percent(entry.map_share),
                f"{entry.macs / 1e9:.3f} G",
                _percent(entry.macs_share),
                "-" if entry.milliseconds is None else f"{entry.milliseconds:.2f}",
                f"{entry.parameters:,}",
                f"{entry.nonzero:,}",
                f"{entry.weights_bytes / 1e6:.2f}",
                "-" if entry.compressed_bytes is None else f"{entry.compressed_bytes / 1e6:.2f}",
                "-" if entry.steps is None else f"{entry.steps:,}",
                f"{entry.seconds:.0f}" if entry.seconds else "-",
                ", ".join(best) or "-",
                how(entry, spread_of_settings),
            ]
        )
    return markdown.without_empty(header, rows)


def verdict(entries: Sequence[Entry]) -> list[str]:
    """The cheapest of the pruned networks that is nearly as good as the unpruned one; nothing without shares."""
    pruned = [(entry, entry.map_share, entry.macs_share) for entry in entries if entry.pruned]
    known = [(entry, kept, cost) for entry, kept, cost in pruned if kept is not None and cost is not None and cost < 1]
    if not known:
        return []
    good = [found for found in known if found[1] >= NEARLY]
    entry, kept, cost = min(good, key=lambda found: found[2]) if good else max(known, key=lambda found: found[1])
    quantity = entry.quantity
    least = f"{NEARLY:.0%} of the {quantity}"
    start = f"The fewest MACs at {least} or more" if good else f"None keeps {least}; the nearest"
    return [f"**{start}: {pareto.label(entry)}, {cost:.0%} of the MACs and {kept:.1%} of the {quantity}.**", ""]


def page_table(entries: Sequence[Entry]) -> list[str]:
    """The table in Markdown; what no other network beats in mAP at its MACs is set off."""
    header, rows = table(entries)
    beaten = pareto.dominated(entries, lambda entry: entry.macs)
    best = [number for number, lost in enumerate(beaten) if not lost]
    return markdown.table(header, rows, last_texts=1, strong=best)


def short_table(entries: Sequence[Entry]) -> list[str]:
    """What fits on a terminal."""
    wanted = (
        "run",
        f"{entries[0].quantity} (11-point)",
        _share(entries),
        "MACs",
        "of MACs",
        "ms",
        "not 0",
        "compressed MB",
        "best for",
    )
    header, rows = table(entries)
    columns = [header.index(name) for name in wanted if name in header]
    return markdown.aligned([header[i] for i in columns], [[row[i] for i in columns] for row in rows])


def shares_of(entries: Sequence[Entry]) -> list[str]:
    """What the shares are of, and where that may lack training; nothing where there are no shares."""
    found = _references(entries)
    if len(found) > 1:
        return ["Shares are of each run's own unpruned network"]
    shares = [f"Shares are of {pareto.label(one)}, {one.quantity} {one.map_11point:.4f}" for one in found]
    return shares + [line for one in found for line in _not_done(one, entries)]


def _references(entries: Sequence[Entry]) -> list[Entry]:
    """What the shares are of, each once."""
    return list({_numbers(entry.unpruned): entry.unpruned for entry in entries if entry.unpruned}.values())


def _share(entries: Sequence[Entry]) -> str:
    """The header of the shares of mAP: of whose, where that is one network."""
    found = _references(entries)
    return f"of {pareto.label(found[0])}" if len(found) == 1 else "of unpruned"


def _not_done(reference: Entry, entries: Sequence[Entry]) -> list[str]:
    """A sentence where a smaller network has more mAP than the unpruned one, after more steps: it may be those."""
    trained = [entry for entry in entries if entry.unpruned and entry.retrained]
    smaller = [entry for entry in trained if (entry.macs, entry.nonzero) < (reference.macs, reference.nonzero)]
    better = [entry for entry in smaller if entry.map_11point > reference.map_11point]
    steps = max((entry.steps or 0 for entry in better), default=0)
    if steps <= (reference.steps or 0):
        return []
    return [
        f"Over 100% there may be steps that {pareto.label(reference)} lacks: a run that drops nothing, "
        f"`prune.method=weight prune.amount=0 train.steps={steps}`, tells"
    ]


def how(entry: Entry, training: Collection[str] = ()) -> str:
    """What was pruned and by what, and the fields of the training that are named; defaults go without saying."""
    if not entry.config:
        return "-"
    if not entry.pruned:
        parts = ["not pruned" if entry.stage == "trained" else entry.config["model"]["start"]]
    else:
        prune = entry.config["prune"]
        parts = [_what(prune), *_given(prune)] if prune.get("budget") or prune["amount"] else ["nothing pruned"]
    if entry.retrained:
        trained = _defaults("train") | entry.config["train"]
        parts += [_field(key, trained.get(key)) for key in trained if key in training]
    return ", ".join(parts)


def differing(sections: Sequence[Json]) -> list[str]:
    """The fields of the section train that are not the same in all of these."""
    whole = [_defaults("train") | section for section in sections]
    keys = dict.fromkeys(key for section in whole for key in section if key not in NOT_SHOWN)
    return [key for key in keys if len({json.dumps(section.get(key)) for section in whole}) > 1]


def to_json(entry: Entry) -> Json:
    """The entry as JSON values, without the config of what its shares are of."""
    fields = {field.name: getattr(entry, field.name) for field in dataclasses.fields(entry)}
    if entry.unpruned:
        fields["unpruned"] = {key: value for key, value in to_json(entry.unpruned).items() if key != "config"}
    return fields


def _what(prune: Json) -> str:
    kind = f"{prune['method']}s"
    if prune.get("budget"):
        return f"{kind} to {prune['budget']}"
    return f"{100 * prune['amount']:g}% of {kind}"


def _given(prune: Json) -> list[str]:
    """The criterion, and every other field that is not at its default; fields of other versions too."""
    chosen = PruneSettings(method=prune["method"], budget=prune.get("budget", "")).chosen.name
    said = {"method", "amount", "budget", "criterion", "latency_table"}
    rest = {key: value for key, value in prune.items() if key not in said and value != _defaults("prune").get(key)}
    return [prune.get("criterion") or chosen, *(_field(key, value) for key, value in rest.items())]


def _field(key: str, value: object) -> str:
    return key if value is True else f"{key}={'+'.join(map(str, value)) if isinstance(value, list) else value}"


def _defaults(section: str) -> Json:
    return Settings().to_json()[section]


def _numbers(entry: Entry) -> tuple[str, str, float, int, int]:
    """What two entries of the same network have in common."""
    return entry.data, entry.protocol, entry.map_11point, entry.macs, entry.nonzero


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"
