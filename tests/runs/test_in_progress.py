import subprocess
import sys
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from kedro.framework.hooks.manager import _create_hook_manager
from kedro.framework.project import configure_project
from kedro.io import DataCatalog, MemoryDataset, Version
from kedro.pipeline import Node, Pipeline

from pneumonia import cli
from pneumonia.base.errors import UserError
from pneumonia.base.parameters import Parameters
from pneumonia.datasets import RecordDataset, ServiceDataset
from pneumonia.hooks import UserErrorHook
from pneumonia.model.recipe import Recipe
from pneumonia.runs.in_progress import FOLDER, InProgressHook, find_runs

FIRST, SECOND, NOW, LATER = (f"2026-01-0{day}T00.00.00.000Z" for day in range(1, 5))
NAMES = ("model_lineage", "decision")


@pytest.fixture
def begin(tmp_path, default_parameters):
    """Let a run begin that reads a parent's lineage and its decision, of given versions; return its hook."""

    for name in NAMES:
        for made in (FIRST, SECOND):
            record = {"manifest_sha256": "", "versions": {}}
            RecordDataset(filepath=str(tmp_path / name), version=Version(None, made)).save(record)

    def begin(version=None, weights="none", run_id=NOW):
        given = {**default_parameters, "images": "none", "model": {"name": "residual_cnn", "weights": weights}}
        catalog = DataCatalog(
            {
                "parent_lineage": RecordDataset(
                    filepath=str(tmp_path / "model_lineage"), version=Version(version, run_id)
                ),
                "decision": RecordDataset(filepath=str(tmp_path / "decision"), version=Version(version, run_id)),
                "trained_models": ServiceDataset(service="builtins.dict", arguments={}),
                "parameters": MemoryDataset(given),
            }
        )
        inputs = ["parent_lineage", "decision", *(["trained_models"] if weights != "none" else [])]
        hook = InProgressHook()
        loader = {"globals": {"root": "."}}
        hook.after_context_created(SimpleNamespace(project_path=str(tmp_path), config_loader=loader))
        pipeline = Pipeline([Node(lambda *read: {}, inputs, "made", name="make")])
        hook.before_pipeline_run({"run_id": run_id}, pipeline, catalog)
        return hook

    return begin


@pytest.mark.parametrize("end", ["after_pipeline_run", "on_pipeline_error"])
def test_what_a_run_reads_is_known_until_it_ends(begin, tmp_path, end):
    hook = begin()
    assert find_runs(tmp_path) == {NOW: [("decision", SECOND), ("model_lineage", SECOND)]}
    getattr(hook, end)()
    assert find_runs(tmp_path) == {}
    assert list((tmp_path / FOLDER).iterdir()) == []


def test_another_hook_that_raises_does_not_leave_the_note(begin, tmp_path):
    manager = _create_hook_manager()
    for hook in (begin(), UserErrorHook()):
        manager.register(hook)
    error = UserError("The disk is full.")
    with pytest.raises(UserError, match="disk is full"):
        manager.hook.on_pipeline_error(error=error, run_params={}, pipeline=None, catalog=None)
    assert list((tmp_path / FOLDER).iterdir()) == []


def test_of_what_is_read_the_version_is_noted_that_was_chosen(begin, tmp_path):
    begun = begin(FIRST, weights=SECOND)
    assert find_runs(tmp_path)[NOW] == [
        ("decision", FIRST), ("model_lineage", FIRST), ("pneumonia_model", SECOND),
    ]  # fmt: skip
    begun.after_pipeline_run()


@pytest.fixture
def begin_reading(tmp_path, default_parameters):
    """Let a run begin that reads given datasets, and return what its note says."""

    def begin(datasets, **groups):
        given = {**default_parameters, "images": "none"}
        given |= {name: {**given[name], **changes} for name, changes in groups.items()}
        parameters = {"parameters": MemoryDataset(given), "params:study": MemoryDataset(given["study"])}
        hook = InProgressHook()
        hook.after_context_created(
            SimpleNamespace(project_path=str(tmp_path), config_loader={"globals": {"root": "."}})
        )
        inputs = [*datasets, *(["params:study"] if "study" in groups else [])]
        pipeline = Pipeline([Node(lambda *read: {}, inputs, "made", name="make")])
        hook.before_pipeline_run({"run_id": NOW}, pipeline, DataCatalog(datasets | parameters))
        noted = find_runs(tmp_path)[NOW]
        hook.after_pipeline_run()
        return noted

    return begin


def test_of_what_reads_every_version_all_are_noted_that_lie_in_this_environment(begin_reading):
    def every(*versions):
        return ServiceDataset(service="builtins.dict", arguments=dict.fromkeys(versions, ""))

    noted = begin_reading({"all_metrics": every(FIRST, SECOND, f"notes/{FIRST}"), "all_predictions": every(FIRST)})
    assert noted == [("metrics", FIRST), ("metrics", SECOND), ("predictions", FIRST)]


def test_of_a_stored_recipe_the_version_is_noted_that_its_training_starts_from(
    begin_reading, tmp_path, default_parameters
):
    given = Parameters.model_validate({**default_parameters, "images": "none"})
    weights = str(tmp_path / "pneumonia_model.keras" / FIRST / "pneumonia_model.keras")
    model = given.model.model_copy(update={"weights": weights})
    recipe = Recipe(inputs=given.inputs, model=model, training=given.training, class_weights={})
    path = str(tmp_path / "recipe.json")
    RecordDataset(filepath=path, version=Version(None, SECOND)).save(recipe)
    stored = RecordDataset(filepath=path, version=Version(None, NOW))
    assert begin_reading({"training_recipe": stored}) == [("training_recipe", SECOND), ("pneumonia_model", FIRST)]


def test_of_a_study_the_versions_are_noted_that_its_trainings_start_from(begin_reading):
    recipes = [{"name": "base", "changes": {}}, {"name": "on", "changes": {"model.weights": f"/m/{FIRST}/m.keras"}}]
    start = f"data/06_models/pneumonia_model.keras/{SECOND}/pneumonia_model.keras"
    noted = begin_reading({}, study={"recipes": recipes}, model={"weights": start})
    assert noted == [("pneumonia_model", SECOND), ("pneumonia_model", FIRST)]


def test_the_note_of_a_killed_run_counts_no_more(tmp_path):
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / f"{NOW}.json").write_text("[]")
    hold = "import sys; from filelock import FileLock; lock = FileLock(sys.argv[1]); lock.acquire(); print(1); input()"
    command = [sys.executable, "-u", "-c", hold, str(tmp_path / FOLDER / f"{NOW}.lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        running = find_runs(tmp_path)
        process.kill()
    assert running == {NOW: []}
    assert find_runs(tmp_path) == {}
    assert list((tmp_path / FOLDER).iterdir()) == []


def test_where_no_run_was_there_is_none(tmp_path):
    assert find_runs(tmp_path / "nowhere") == {}


def test_a_place_that_cannot_be_written_ends_the_run_in_a_sentence(begin, tmp_path):
    (tmp_path / FOLDER).write_text("in its place")
    with pytest.raises(UserError, match=f"Could not write to .*{FOLDER}"):
        begin()


def test_pruning_leaves_what_runs_read_and_asks_again_if_one_began_meanwhile(begin, tmp_path, monkeypatch):
    from pneumonia.runs.pruning import find_all_versions

    catalog = {name: {"filepath": name, "versioned": True} for name in NAMES}
    monkeypatch.setattr(cli, "_find", lambda env: (find_all_versions(catalog, tmp_path), tmp_path))
    configure_project("pneumonia")

    def prune(*options, **settings):
        return CliRunner().invoke(cli.cli, ["versions", "prune", "--keep=1", *options], **settings)

    def versions():
        return sorted(find_all_versions(catalog, tmp_path)["version"])

    running = begin(FIRST)
    assert "Nothing to remove." in prune("--yes").output
    running.after_pipeline_run()

    began = []
    monkeypatch.setattr(cli.click, "confirm", lambda *_, **__: began.append(begin(FIRST, run_id=LATER)))
    refused = prune()
    assert (refused.exit_code, "A run has begun meanwhile. Nothing was removed" in refused.output) == (1, True)
    assert versions() == [FIRST, FIRST, SECOND, SECOND]

    began.pop().after_pipeline_run()
    assert prune("--yes").exit_code == 0
    assert versions() == [SECOND, SECOND]
