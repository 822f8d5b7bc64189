"""The rows of a study, and what is known of those that are done."""

import dataclasses
import json
import pathlib
import re
from collections.abc import Mapping, Sequence

from yolojax import settings as declared
from yolojax.files import Json
from yolojax.reporting.pictures import Sample
from yolojax.settings import Settings, StudySettings

METHODS = ("filter", "weight")
NAME = re.compile(r"[A-Za-z0-9][\w.+-]*")
SECTIONS = ("prune", "train")  # in which rows may differ
BASELINE = "baseline"  # the folder of the network that a study trains itself


@dataclasses.dataclass(frozen=True)
class Row:
    """One run of a study.

    Attributes:
      name: of its folder; the kind, and the seed where that is not the first.
      kind: what the rows of all seeds have in common.
      seed: of its training.
      method: of a row that the settings give as an amount, or of a sensitivity analysis; None for one of `study.rows`.
      amount: likewise; None for a sensitivity analysis.
      changes: {section: {field: value}} of one of `study.rows`.
    """

    name: str
    kind: str
    seed: int
    method: str | None = None
    amount: float | None = None
    changes: Mapping[str, Mapping[str, object]] = dataclasses.field(default_factory=dict)

    @property
    def is_sensitivity(self) -> bool:
        """Whether it measures each layer alone, in place of a pruning run."""
        return self.method is not None and self.amount is None

    @property
    def result(self) -> str:
        """The file that is there when the row is done."""
        return "sensitivity.json" if self.is_sensitivity else "report.json"

    def settings(self, study: Settings) -> Settings:
        """The settings of the row's run. Raises ValueError, with its name, for what they cannot be."""
        changes = self.changes if self.method is None else self._of_amount(study)
        train = {**changes.get("train", {}), "seed": self.seed}
        try:
            return study.replace(prune=changes.get("prune", {}), train=train)
        except ValueError as error:
            raise ValueError(f"row {self.kind}: {error}") from None

    def _of_amount(self, study: Settings) -> dict[str, dict[str, object]]:
        filters = self.method == "filter"
        prune: dict[str, object] = {"method": self.method}
        prune["criterion"] = study.study.filter_criterion if filters else study.study.weight_criterion
        if self.amount is not None:
            prune["amount"] = self.amount
        if not filters:
            prune |= {"budget": "", "repair": False}  # of filters
        return {"prune": prune}


def all_rows(study: StudySettings) -> list[Row]:
    """The rows that the settings declare; the name of the first seed's has no seed.

    Raises ValueError for seeds that are none or repeat, a row of `study.rows` that cannot be read, two of one name.
    """
    _check_seeds("", study.seeds)
    kinds = [("control", "weight", 0.0)] if study.control else []
    kinds += [(f"filter{100 * amount:g}", "filter", amount) for amount in study.filter_amounts]
    kinds += [(f"weight{100 * amount:g}", "weight", amount) for amount in study.weight_amounts]
    first = [(Row(kind, kind, study.seeds[0], method, amount), study.seeds) for kind, method, amount in kinds]
    first += [_parse_row(text, study.seeds) for text in study.rows]
    rows = [
        row if seed == row.seed else dataclasses.replace(row, name=f"{row.kind}-seed{seed}", seed=seed)
        for row, seeds in first
        for seed in seeds
    ]
    if study.sensitivity_amounts:
        names = [(f"sensitivity-{method}", method) for method in METHODS]
        rows += [Row(name, name, study.seeds[0], method) for name, method in names]
    taken = [BASELINE, *(row.name for row in rows)]
    if twice := [name for name in taken if taken.count(name) > 1]:
        raise ValueError(f"study.rows: the name {twice[0]} is taken; the control is a row unless study.control=False")
    return rows


def choose_rows(study: StudySettings, names: Sequence[str]) -> list[Row]:
    """The rows of these names, all if there are none; ValueError for one that the settings do not declare."""
    rows = {row.name: row for row in all_rows(study)}
    if not {row.kind for row in rows.values()} - {"control"}:
        raise ValueError("the study has no rows; give study.rows, study.filter_amounts or study.weight_amounts")
    if unknown := [name for name in names if name not in rows]:
        raise ValueError(f"no row {unknown[0]!r}; this study has {', '.join(rows)}")
    return [rows[name] for name in names] or list(rows.values())


def _parse_row(text: str, seeds: tuple[int, ...]) -> tuple[Row, tuple[int, ...]]:
    """The first seed's row, from its name and the fields in which it differs from the study's; and its seeds."""
    name, _, fields = text.strip().partition(" ")
    if not NAME.fullmatch(name):
        raise ValueError(
            f"study.rows {text!r}, expected a name of letters, digits and .+-_ and then SECTION.FIELD=VALUE"
        )
    try:
        changes = declared.parse_overrides(fields)
    except ValueError as error:
        raise ValueError(f"study.rows, row {name}: {error}") from None
    for section, values in changes.items():
        for key in values:
            if section not in SECTIONS and (section, key) != ("study", "seeds"):
                raise ValueError(
                    f"study.rows, row {name}: {section}.{key} is the same for all rows, so that they can be compared; "
                    f"expected fields of {' and '.join(SECTIONS)}, or study.seeds"
                )
    if "seed" in changes.get("train", {}):
        raise ValueError(f"study.rows, row {name}: train.seed comes from study.seeds")
    own = changes.pop("study", {}).get("seeds", seeds)
    assert isinstance(own, tuple)  # as `parse_overrides` has checked
    _check_seeds(f"study.rows, row {name}: ", own)
    return Row(name, name, own[0], changes=changes), own


def _check_seeds(where: str, seeds: tuple[int, ...]) -> None:
    if not seeds or len(set(seeds)) < len(seeds):
        raise ValueError(f"{where}study.seeds {seeds}, expected one or more, each once")


@dataclasses.dataclass(frozen=True)
class Group:
    """The pruning runs of one kind, one per seed: each one's report.json, and the first one's samples.json.

    `method` is what it drops; `amount` that of a row which the settings give as one, None for one of `study.rows`.
    """

    name: str
    method: str
    amount: float | None
    folders: tuple[pathlib.Path, ...]
    reports: tuple[Json, ...]
    samples: dict[str, list[Sample]]

    @property
    def is_control(self) -> bool:
        """Whether it drops nothing: the unpruned network, trained on."""
        prune = self.reports[0]["config"]["prune"]
        return not (prune["amount"] or prune.get("budget"))

    @property
    def trained(self) -> bool:
        """Whether there was a training after the pruning."""
        return "retrained" in self.reports[0]["stages"]

    def stages(self, name: str) -> list[Json]:
        """One stage of each seed's run."""
        return [report["stages"][name] for report in self.reports]

    @property
    def last(self) -> str:
        """The name of the stage that its runs end with."""
        return list(self.reports[0]["stages"])[-1]


def group_rows(rows: Sequence[Row], folder: pathlib.Path) -> list[Group]:
    """The pruning runs together by their kind, in their order."""
    kinds: dict[str, list[Row]] = {}
    for row in rows:
        if not row.is_sensitivity:
            kinds.setdefault(row.kind, []).append(row)
    groups = []
    for kind, members in kinds.items():
        folders = tuple(folder / row.name for row in members)
        reports = tuple(json.loads((place / "report.json").read_text()) for place in folders)
        samples = json.loads((folders[0] / "samples.json").read_text())
        method = reports[0]["config"]["prune"]["method"]
        groups.append(Group(kind, method, members[0].amount, folders, reports, samples))
    return groups
