import dataclasses
import json
import pathlib
import re
import shutil

import jax
import numpy as np
import pytest

from tests import helpers
from tests.browser import opened
from tests.reporting.conftest import stage
from yolojax import export, pruning, runs, studies
from yolojax.runs import setup
from yolojax.runs.prune import open_subject
from yolojax.runs.rounds import score
from yolojax.runs.workdir import PRUNING, claim
from yolojax.studies import report, sensitivity, unseen
from yolojax.studies.rows import Group, choose_rows, group_rows
from yolojax.studies.run import is_done, with_start

ROWS = ("control", "filter50", "filter50-seed1", "weight80", "weight80-seed1", "control-seed1")


@pytest.fixture(scope="module")
def study_recipe(recipe):
    return recipe.replace(
        data={"train_split": "train"},
        train={"steps": 3, "eval_every": 2, "log_every": 1},
        study={
            "filter_amounts": (0.5,),
            "weight_amounts": (0.8,),
            "seeds": (0, 1),
            "sensitivity_amounts": (0.4, 0.8),
            "baseline_steps": 8,
        },
    )


@pytest.fixture(scope="module")
def begun(study_recipe, tmp_path_factory):
    """The workdir of a study in which some rows are still to be run, and the times of what is there."""
    workdir = tmp_path_factory.mktemp("study")
    studies.run_study(study_recipe, workdir, rows=["filter50", "filter50-seed1", "control", "sensitivity-filter"])
    return workdir, written(workdir)


@pytest.fixture(scope="module")
def study(begun, study_recipe):
    """The workdir of the study, started a second time, with all rows."""
    studies.run_study(study_recipe, begun[0])
    return begun[0]


def written(workdir):
    """{file: its time} of the rows' reports and the baseline's network."""
    return {
        path: path.stat().st_mtime_ns for name in ("report.json", "model.weights") for path in workdir.glob(f"*/{name}")
    }


def test_a_second_start_runs_only_the_rows_that_are_left(begun, study):
    _, before = begun
    assert {path.parent.name for path in before} == {"baseline", "control", "filter50", "filter50-seed1"}
    after = written(study)
    assert {path.parent.name for path in after} == {"baseline", *ROWS}
    assert before.items() <= after.items()
    result = json.loads((study / "study.json").read_text())
    assert list(result["rows"]) == ["control", "filter50", "weight80"]
    assert [len(reports) for reports in result["rows"].values()] == [2, 2, 2]


def test_the_rows_are_pruning_runs_of_their_seeds(study):
    first, second = (json.loads((study / name / "report.json").read_text()) for name in ("filter50", "filter50-seed1"))
    assert (first["config"]["train"]["seed"], second["config"]["train"]["seed"]) == (0, 1)
    assert first["stages"]["pruned"]["evaluation"]["map_area"] == second["stages"]["pruned"]["evaluation"]["map_area"]
    assert (study / "filter50" / "model.weights").read_bytes() != (
        study / "filter50-seed1" / "model.weights"
    ).read_bytes()
    control = json.loads((study / "control" / "report.json").read_text())["stages"]
    assert control["retrained"]["nonzero"] == control["original"]["nonzero"]


def test_the_page_needs_no_other_file(study):
    text = (study / "study.md").read_text()
    for part in ("## All rows", "confidence >= 0.005", "| 50 |", "±", "Shares are of control, mAP"):
        assert part in text
    assert "ublished" not in text  # another network on other data
    page = (study / "study.html").read_text()
    assert "<table>" in page
    sources = re.findall(r'src="([^"]*)"', page)
    assert len(sources) == len(re.findall(r"!\[", text)) >= 8
    assert all(source.startswith("data:image/") for source in sources)


@pytest.mark.slow
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_the_page_opens_in_a_browser(browser, study, width, dark):
    with opened(browser, study / "study.html", width=width, dark=dark) as seen:
        assert seen.locator("figure img").count() >= 8
        assert "Where the MACs are" in seen.inner_text("nav")


def test_mistakes(study, study_recipe):
    with pytest.raises(ValueError, match=r"no row 'filter30'; this study has control, control-seed1, filter50"):
        studies.run_study(study_recipe, study, rows=["filter30"])
    other = study_recipe.replace(train={"learning_rate": 0.5})
    with pytest.raises(ValueError, match=r"baseline holds .* other settings: train\.learning_rate 0\.01 is now 0\.5"):
        studies.run_study(other, study)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"prune": {"budget": "macs=50%"}}, r"prune\.budget and the amounts of study\.filter_amounts"),
        ({"train": {"steps": 0, "epochs": 0}}, r"row control: train\.steps and train\.epochs are both 0"),
        (
            {"data": {"train_split": "trainval"}},
            r"'validation' has images that training saw \(data\.train_split: 'trai",
        ),
        ({"study": {"sensitivity_split": "train"}}, r"study\.sensitivity_split 'train' has images that training saw"),
        ({"study": {"rows": ("a train.step=1",)}}, r"row a: the config has no field train\.step; did you mean steps\?"),
        ({"study": {"rows": ("a train.steps=few",)}}, r"row a: train\.steps 'few', expected an integer"),
        ({"study": {"rows": ("a train.steps=-1",)}}, r"row a: train\.steps -1, expected at least 0"),
        ({"study": {"rows": ("a prune.budget=half",)}}, r"row a: budget 'half', expected macs"),
        ({"study": {"rows": ("a prune.steps",)}}, r"row a: 'prune\.steps', expected SECTION\.FIELD=VALUE"),
        ({"study": {"rows": ("a eval.size=64",)}}, r"row a: eval\.size is the same for all rows"),
        ({"study": {"rows": ("a model.start=x",)}}, r"row a: model\.start is the same for all rows"),
        ({"study": {"rows": ("a study.control=False",)}}, r"row a: study\.control is the same for all rows"),
        ({"study": {"rows": ("a train.seed=3",)}}, r"row a: train\.seed comes from study\.seeds"),
        ({"study": {"rows": ("a study.seeds=()",)}}, r"row a: study\.seeds \(\), expected one or more, each once"),
        ({"study": {"sensitivity_amounts": (0.8, 0.4)}}, r"amounts \(0\.8, 0\.4\), expected shares that ascend"),
        ({"study": {"sensitivity_amounts": (0.5, 1.0)}}, r"amounts \(0\.5, 1\.0\), expected shares that ascend"),
        ({"study": {"seeds": (1, 1)}}, r"^study\.seeds \(1, 1\), expected one or more, each once"),
        ({"study": {"rows": ("../a",)}}, r"study\.rows '\.\./a', expected a name"),
        ({"study": {"rows": ("control prune.amount=0",)}}, "the name control is taken"),
        ({"study": {"rows": ("baseline",)}}, "the name baseline is taken"),
        ({"study": {"filter_amounts": (), "weight_amounts": (), "sensitivity_amounts": ()}}, "the study has no rows"),
    ],
)
def test_what_no_row_can_be(study_recipe, tmp_path, fields, message):
    with pytest.raises(ValueError, match=message):
        studies.run_study(study_recipe.replace(**fields), tmp_path / "study")
    assert not (tmp_path / "study").exists()


def test_what_a_study_may_change(study, study_recipe, tmp_path):
    recipe = with_start(study_recipe, study)
    study = shutil.copytree(study, tmp_path / "study")
    (row,) = choose_rows(recipe.study, ["control"])
    assert is_done(recipe, row, study)
    recipe = recipe.replace(study={"seeds": (0, 7), "weight_amounts": (0.5, 0.8)})
    assert is_done(recipe, row, study)
    longer = recipe.replace(train={"steps": recipe.train.steps + 1})
    assert not is_done(longer, row, study)
    with claim(row.settings(longer), study / row.name, sections=PRUNING):  # it went on, and was stopped
        pass
    assert not is_done(longer, row, study)
    assert is_done(recipe.replace(train={"seed": 3}), row, study)  # a row has its own
    with pytest.raises(ValueError, match=r"control holds a run with other settings: train\.momentum 0\.9 is now 0\.5"):
        is_done(recipe.replace(train={"momentum": 0.5}), row, study)


def test_a_baseline_of_more_steps_is_trained_on(study, study_recipe, tmp_path):
    place = pathlib.Path(shutil.copytree(study / "baseline", tmp_path / "baseline"))
    with_start(study_recipe.replace(study={"baseline_steps": 9}), tmp_path)
    assert json.loads((place / "evaluation.json").read_text())["steps"] == 9
    assert json.loads((place / "metrics.jsonl").read_text().splitlines()[-1])["step"] == 9
    before = (place / "evaluation.json").stat().st_mtime_ns
    with_start(study_recipe.replace(study={"baseline_steps": 9}), tmp_path)
    assert (place / "evaluation.json").stat().st_mtime_ns == before


def test_a_control_of_any_seed_is_the_control(study, study_recipe):
    (row,) = choose_rows(study_recipe.study, ["control-seed1"])
    assert (row.name, row.kind) == ("control-seed1", "control")
    (group,) = group_rows([row], study)
    assert group.name == "control"


def test_sensitivity_against_masks_made_by_hand(study, study_recipe):
    result = json.loads((study / "sensitivity-filter" / "sensitivity.json").read_text())
    assert result["method"] == "filter"
    model = export.open_model(str(study / "baseline" / "model.weights"))
    assert "conv_11" in result["layers"]
    assert len(result["layers"]) == result["prunable"] == len(model.architecture.convolutions) - 1
    unpruned = study_recipe.replace(model={"start": str(study / "baseline" / "model.weights")}, prune={"amount": 0.0})
    subject = open_subject(unpruned, setup.open_start(unpruned))
    assert (result["split"], result["repair"]) == ("validation", False)  # whose images are those of the test split
    masked = model.masked(pruning.filter_masks(model.architecture, model.params, {"conv_11": 0.8}))
    expected = subject.evaluator.evaluate(masked.variables).map_11point
    assert result["layers"]["conv_11"]["map_11point"][1] == expected


def test_a_sensitivity_of_another_split_is_measured_again(study, study_recipe, tmp_path):
    recipe = with_start(study_recipe, study)
    (row,) = choose_rows(recipe.study, ["sensitivity-filter"])
    assert is_done(recipe, row, study)
    assert not is_done(recipe.replace(study={"sensitivity_split": "test"}), row, study)


class Recorder:
    """In place of an evaluator: keeps what it is to measure."""

    def __init__(self, evaluator):
        self.dataset, self.protocol, self.seen = evaluator.dataset, evaluator.protocol, []

    def evaluate(self, variables, *, progress=None):
        self.seen.append(variables)
        return dataclasses.make_dataclass("Result", ["map_11point"])(0.5)


def test_sensitivity_after_repair_against_a_repair_by_hand(study, study_recipe, tmp_path):
    recipe = with_start(study_recipe, study).replace(prune={"repair": True, "images": 4})
    recipe = recipe.replace(study={"sensitivity_amounts": (0.5,)})
    subject = open_subject(recipe, setup.open_start(recipe))
    model, recorder = subject.model, Recorder(subject.evaluator)
    scores = score(recipe, model, subject.train_set)
    result = sensitivity.measure_sensitivity(recipe, subject, scores, recorder, tmp_path / "sensitivity.json")
    assert result["repair"]
    batches = setup.plain_batches(recipe, subject.train_set, 4)
    images = [batch["image"] for batch in batches]
    measured = dict(zip(result["layers"], recorder.seen[1:], strict=True))
    masks = pruning.filter_masks(model.architecture, model.params, {"conv_06": 0.5})
    repaired = pruning.repair(model.architecture, model.variables, masks, images)
    jax.tree.map(np.testing.assert_array_equal, measured["conv_06"], repaired)
    kernel = measured["conv_06"]["params"]["conv_11"]["kernel"]  # the next one: it reads what stays
    assert not np.array_equal(kernel, model.params["conv_11"]["kernel"])


def test_what_the_network_was_trained_on_before_counts(study, study_recipe, recipe, trained, tmp_path):
    late = study_recipe.replace(model={"start": str(trained / "model.weights")})
    with pytest.raises(ValueError, match=r"'validation' has images that training saw \(.*/run: 'trainval'\)"):
        studies.run_study(late, tmp_path / "study")
    runs.run_training(late.replace(train={"steps": 1}), tmp_path / "tuned")
    later = late.replace(model={"start": str(tmp_path / "tuned")})
    with pytest.raises(ValueError, match=r"saw \(.*/run: 'trainval'\)"):
        studies.run_study(later, tmp_path / "study")
    assert not (tmp_path / "study").exists()


@pytest.fixture
def without_validation(study_recipe, tmp_path):
    """The study on a folder that has only trainval and test lists."""
    squares = helpers.make_devkit(tmp_path / "squares")
    for name in ("train", "val"):
        (squares / "ImageSets" / "Main" / f"{name}.txt").unlink()
    return study_recipe.replace(data={"source": f"devkit:{squares}", "train_split": "trainval"})


def test_a_share_is_held_out_where_there_is_no_validation_split(without_validation, study_recipe, caplog):
    settings = unseen.with_validation(without_validation)
    assert settings.data.hold_out == 0.2
    assert "no validation split; data.hold_out=0.2 of the images of trainval" in caplog.text
    unseen.check(settings)
    setup.check(settings.replace(data={"eval_split": "val"}), setup.open_architecture(settings))
    parts = [setup.open_split(settings.data, split, ()) for split in ("trainval", "validation", "test")]
    ids = [{each.image_id(i) for i in range(len(each))} for each in parts]
    assert [len(part) for part in ids] == [8, 2, 10]
    assert not ids[0] & ids[1]
    for same in (study_recipe, without_validation.replace(study={"sensitivity_amounts": ()})):
        assert unseen.with_validation(same) == same


def test_what_was_held_out_has_to_be_new_to_the_network_too(without_validation, tmp_path):
    settings = unseen.with_validation(without_validation)
    before = {"source": settings.data.source, "train_split": "trainval"}
    (tmp_path / "m.weights").touch()
    start = settings.replace(model={"start": str(tmp_path / "m.weights")})
    for held, refused in ((0.2, False), (0.1, True), (None, True)):
        data = before if held is None else {**before, "hold_out": held}
        (tmp_path / "config.json").write_text(json.dumps({"data": data, "model": {"start": ""}}))
        if not refused:
            unseen.check(start)
            continue
        with pytest.raises(
            ValueError, match=r"rows with data\.train_split='trainval' and data\.hold_out=0\.2, or leave"
        ):
            unseen.check(start)


def test_amounts_by_sensitivity(study, study_recipe, tmp_path):
    analysis = str(study / "sensitivity-filter" / "sensitivity.json")
    recipe = with_start(study_recipe, study).replace(prune={"amount": 0.3, "amounts": analysis})
    report = runs.run_pruning(recipe, tmp_path / "run")
    dropped = sum(layer.filters_dropped for layer in report.layers)
    total = sum(layer.filters for layer in report.layers[:-1])
    assert abs(dropped - 0.3 * total) <= len(report.layers) * 4
    assert "amounts per layer by their sensitivity" in (tmp_path / "run" / "report.md").read_text()
    with pytest.raises(ValueError, match="was measured for method filter, the config prunes by weight"):
        runs.run_pruning(recipe.replace(prune={"method": "weight"}), tmp_path / "other")


ROWS_AS_TEXT = (
    "kept prune.method=weight prune.amount=0 train.learning_rate=2e-3",
    "half prune.budget=macs=50% prune.repair=True train.steps=2",
    "bare prune.budget=macs=50% prune.repair=true train.steps=0 train.epochs=0 study.seeds=(0,)",
    "l1-50 prune.amount=0.5 prune.criterion=l1 prune.exclude=('conv_00','conv_02') study.seeds=(5,)",
)


@pytest.fixture(scope="module")
def rows_recipe(study_recipe, study):
    fields = {"rows": ROWS_AS_TEXT, "control": False, "filter_amounts": (), "weight_amounts": ()}
    return with_start(study_recipe, study).replace(study={**fields, "sensitivity_amounts": ()})


@pytest.fixture(scope="module")
def rows_study(rows_recipe, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("rows")
    studies.run_study(rows_recipe, workdir)
    return workdir


def test_rows_as_text_are_runs_with_those_fields(rows_study):
    reports = {path.parent.name: json.loads(path.read_text()) for path in rows_study.glob("*/report.json")}
    names = [text.split()[0] for text in ROWS_AS_TEXT]
    assert set(reports) == {*names, "kept-seed1", "half-seed1"}
    half, bare, l1 = (reports[name] for name in ("half-seed1", "bare", "l1-50"))
    assert (half["config"]["train"]["steps"], half["config"]["train"]["seed"]) == (2, 1)
    assert list(bare["stages"]) == ["original", "pruned", "repaired"]
    assert bare["stages"]["repaired"]["macs"] <= 0.5 * bare["stages"]["original"]["macs"]
    assert l1["config"]["prune"]["exclude"] == ["conv_00", "conv_02"]
    assert (l1["config"]["train"]["learning_rate"], l1["config"]["train"]["seed"]) == (0.01, 5)
    assert reports["kept"]["stages"]["retrained"]["nonzero"] == half["stages"]["original"]["nonzero"]


def test_the_page_of_rows_as_text(rows_study):
    text = (rows_study / "study.md").read_text()
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")]
    assert {line[0].strip("*") for line in lines[2:]} == {"unpruned", "kept", "l1-50", "half", "bare (repaired)"}
    header, found = lines[0], {line[0].strip("*"): dict(zip(lines[0], line, strict=True)) for line in lines[2:]}
    assert all({line[column] for line in lines[2:]} != {"-"} for column in range(len(header)))
    assert found["kept"]["of MACs"] == "100.0%"
    assert found["half"]["what was done"].startswith("filters to macs=50%, lamp, repair")
    assert (found["half"]["steps"], found["bare (repaired)"]["steps"]) == ("2", "0")
    assert "±" in found["half"]["mAP (11-point)"]
    assert "±" not in found["l1-50"]["mAP (11-point)"]
    assert "2 seeds, mean ± standard deviation, one where there is no ±." in text
    assert "Shares are of kept, mAP" in text
    assert "pareto.svg" in text
    for absent in ("curves.svg", "ublished", "## Filters", "## Weights", "ensitivity"):
        assert absent not in text


def test_rows_as_text_are_skipped_when_done_and_refused_when_changed(rows_study, rows_recipe, tmp_path):
    rows_study = shutil.copytree(rows_study, tmp_path / "study")
    before = {path: path.stat().st_mtime_ns for path in rows_study.glob("*/report.json")}
    more = rows_recipe.replace(study={"rows": (*ROWS_AS_TEXT, "more prune.amount=0.3"), "seeds": (0,)})
    studies.run_study(more, rows_study)
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())
    assert (rows_study / "more" / "report.json").exists()
    other = more.replace(study={"rows": ("half prune.budget=macs=40% train.steps=2", "new prune.amount=0.2")})
    with pytest.raises(ValueError, match=r"half holds .* other settings: prune\.budget 'macs=50%' is now 'macs=40%'"):
        studies.run_study(other, rows_study, rows=["new"])
    assert not (rows_study / "new").exists()  # before the work


def test_pictures_of_another_number_are_left_out(rows_study, rows_recipe, tmp_path, caplog):
    rows_study = shutil.copytree(rows_study, tmp_path / "study")
    studies.run_study(rows_recipe.replace(eval={"pictures": rows_recipe.eval.pictures + 1}), rows_study)
    assert "half was run with another eval.pictures and is not in the pictures" in caplog.text
    assert "what the networks find" not in (tmp_path / "study" / "study.md").read_text()


def test_what_the_network_does_not_allow_shows_before_the_work(rows_recipe, tmp_path):
    for text, message in (
        ("low prune.budget=macs=1%", "row low: a cost of .* cannot be met"),
        ("odd train.sizes=(33,)", "row odd: size 33 does not fit in reorg_09"),
    ):
        recipe = rows_recipe.replace(study={"rows": ("good prune.amount=0.5", text)})
        with pytest.raises(ValueError, match=message):
            studies.run_study(recipe, tmp_path)
    assert not (tmp_path / "good").exists()


def test_published_numbers_are_for_voc2007(study, study_recipe):
    assert not report.is_published(study_recipe)
    for source in ("voc2007", "voc0712"):
        assert report.is_published(study_recipe.replace(data={"source": source}))
    assert not report.is_published(study_recipe.replace(data={"source": "voc2007", "eval_split": "validation"}))
    groups = group_rows(choose_rows(study_recipe.study, ["filter50"]), study)
    original = groups[0].stages("original")[0]
    with_them = report.result_table("filter", original, groups, report.published())
    assert "50,655,389" in with_them[2]
    assert "published params" in with_them[0]
    assert "published params" not in report.result_table("filter", original, groups, None)[0]


def test_shares_are_of_the_best_of_the_unpruned_network_and_its_controls(make_run):
    def group(name, score, **prune):
        stages = {"retrained": stage(1e9, score)}
        folder = make_run(name, stages, prune=prune)
        return Group(name, "filter", None, (folder,), (json.loads((folder / "report.json").read_text()),), {})

    short, long, half = (group(*row, amount=amount) for *row, amount in (("s", 0.5, 0), ("l", 0.9, 0), ("h", 0.6, 0.5)))
    shares = {entry.name: entry.map_share for entry in report.compare([short, half, long])}
    assert shares == {"unpruned": 0.8 / 0.9, "s": 0.5 / 0.9, "h": 0.6 / 0.9, "l": 1.0}
    for groups in ([half], [half, short]):
        shares = {entry.name: entry.map_share for entry in report.compare(groups)}
        assert (shares["unpruned"], shares["h"]) == (1.0, 0.6 / 0.8)
    assert report.compare([]) == []
