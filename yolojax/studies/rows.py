"""The rows of a study, and what is known of those that are done."""

import dataclasses
import json
import pathlib
from collections.abc import Sequence

from yolojax.files import Json
from yolojax.reporting.pictures import Sample
from yolojax.settings import StudySettings

METHODS = ("filter", "weight")


@dataclasses.dataclass(frozen=True)
class Row:
    """One run: a method, an amount and the seed of its retraining; or, without an amount, a sensitivity analysis."""

    name: str
    method: str
    amount: float | None = None
    seed: int = 0

    @property
    def kind(self) -> str:
        """The name without the seed."""
        return self.name.removesuffix(f"-seed{self.seed}")

    @property
    def result(self) -> str:
        """The file that is there when the row is done."""
        return "report.json" if self.amount is not None else "sensitivity.json"


def all_rows(study: StudySettings) -> list[Row]:
    """The rows that the settings declare; the name of the first seed's has no seed."""
    kinds = [("control", "weight", 0.0)] if study.control else []
    kinds += [(f"filter{100 * amount:g}", "filter", amount) for amount in study.filter_amounts]
    kinds += [(f"weight{100 * amount:g}", "weight", amount) for amount in study.weight_amounts]
    rows = [
        Row(name if seed == study.seeds[0] else f"{name}-seed{seed}", method, amount, seed)
        for name, method, amount in kinds
        for seed in study.seeds
    ]
    if study.sensitivity_amounts:
        rows += [Row(f"sensitivity-{method}", method, None, study.seeds[0]) for method in METHODS]
    return rows


def choose_rows(study: StudySettings, names: Sequence[str]) -> list[Row]:
    """The rows of these names, all if there are none; ValueError for one that the settings do not declare."""
    rows = {row.name: row for row in all_rows(study)}
    if unknown := [name for name in names if name not in rows]:
        raise ValueError(f"no row {unknown[0]!r}; this study has {', '.join(rows)}")
    if not rows:
        raise ValueError("the study has no rows; give study.filter_amounts or study.weight_amounts")
    return [rows[name] for name in names] or list(rows.values())


@dataclasses.dataclass(frozen=True)
class Group:
    """The rows of one method and amount, one per seed: each one's report.json, and the first one's samples.json."""

    name: str
    method: str
    amount: float
    folders: tuple[pathlib.Path, ...]
    reports: tuple[Json, ...]
    samples: dict[str, list[Sample]]

    def stages(self, name: str) -> list[Json]:
        """One stage of each seed's run."""
        return [report["stages"][name] for report in self.reports]


def group_rows(rows: Sequence[Row], folder: pathlib.Path) -> list[Group]:
    """The rows with an amount, together by method and amount, in their order."""
    kinds: dict[tuple[str, float], list[Row]] = {}
    for row in rows:
        if row.amount is not None:
            kinds.setdefault((row.method, row.amount), []).append(row)
    groups = []
    for (method, amount), members in kinds.items():
        folders = tuple(folder / row.name for row in members)
        reports = tuple(json.loads((place / "report.json").read_text()) for place in folders)
        samples = json.loads((folders[0] / "samples.json").read_text())
        groups.append(Group(members[0].kind, method, amount, folders, reports, samples))
    return groups
