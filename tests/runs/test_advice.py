"""For every dataset that a run reads and another run makes: what is missing is made by what is advised."""

import re
import shutil

import pytest
from kedro.framework.project import configure_project, pipelines
from kedro.io import DataCatalog

from pneumonia.base.errors import UserError
from pneumonia.runs.advice import find_removed, options_to_make, pipeline_of, refuse_missing
from pneumonia.runs.pinning import PARENTS

configure_project("pneumonia")
WHOLE = pipelines["__default__"]
# What a run reads of earlier ones, by the name of its pipeline.
READ = sorted(
    (name, dataset)
    for name, pipeline in pipelines.items()
    for dataset in pipeline.inputs()
    if PARENTS.get(dataset, dataset) in WHOLE.all_outputs()
)
OLD, NEW = "2026-01-01T00.00.00.000Z", "2026-01-02T00.00.00.000Z"


def advised(missing, gone=None):
    """Return what the advice runs, where the missing datasets, or these, are gone."""
    gone = missing if gone is None else gone
    return pipeline_of(options_to_make(missing, lambda name: name not in gone))


@pytest.mark.parametrize(("reader", "dataset"), READ)
def test_what_is_deleted_is_made_by_the_smallest_pipeline_and_not_by_the_one_that_lacks_it(reader, dataset):
    advice, made = advised({dataset}), PARENTS.get(dataset, dataset)

    assert made in advice.all_outputs()
    assert not advice.inputs() & {made}
    assert set(advice.nodes) != set(pipelines[reader].nodes)
    smaller = [
        name
        for name, pipeline in pipelines.items()
        if made in pipeline.all_outputs() and set(pipeline.nodes) < set(WHOLE.nodes)
    ]
    assert len(advice.nodes) <= min(len(pipelines[name].nodes) for name in smaller)


@pytest.mark.parametrize("reader", sorted({name for name, _ in READ}))
def test_one_command_makes_all_that_a_new_project_lacks(reader):
    missing = pipelines[reader].inputs() & (WHOLE.all_outputs() | PARENTS.keys())
    advice = advised(missing, WHOLE.all_outputs() | PARENTS.keys())

    assert {PARENTS.get(name, name) for name in missing} <= advice.all_outputs()
    assert not advice.inputs() & WHOLE.all_outputs()


@pytest.mark.parametrize(
    ("missing", "options"),
    [
        ({"class_counts", "class_weights"}, ["--pipelines=imbalance"]),
        ({"class_weights", "split_manifest"}, ["--pipelines=ingest,imbalance"]),
        ({"pixel_store", "decision"}, ["--pipelines=inputs,evaluation"]),
        ({"model_summary"}, ["--nodes=training.describe_network"]),
        ({"model_summary", "training_curves_figure"},
         ["--nodes=training.describe_network,training.draw_training_curves"]),
        ({"model_summary", "pneumonia_model"}, ["--pipelines=training"]),
        ({"training_history"}, ["--pipelines=training"]),
        ({"class_weights", "model_lineage", "decision"}, []),
        ({"chest_xrays"}, None),
    ],
)  # fmt: skip
def test_no_more_is_made_than_is_missing(missing, options):
    assert options_to_make(missing, lambda name: name not in missing) == options


@pytest.fixture
def catalog(tmp_path):
    """Two models with what a training saves with them, and their evaluation's decision."""
    names = {"pneumonia_model", "model_lineage", "training_history", "model_summary", "decision", "training_recipe"}
    for name in names:
        for version in (OLD, NEW):
            file = tmp_path / name / version / name
            file.parent.mkdir(parents=True)
            file.write_text("{}")
    entry = {"type": "pneumonia.datasets.RecordDataset", "versioned": True}
    return DataCatalog.from_config({name: {**entry, "filepath": str(tmp_path / name)} for name in names})


def lack(catalog, newest_model=True, **run_params):
    names = {"pneumonia_model", "model_lineage", "training_history", "model_summary"}
    refuse_missing(names, catalog, run_params, newest_model=newest_model)


@pytest.mark.parametrize(
    ("deleted", "command"),
    [
        ("pneumonia_model", "--pipelines=training, or name an older model by --load-versions=pneumonia_model:VERSION"),
        ("model_lineage", "--pipelines=training, or name an older model by --load-versions=pneumonia_model:VERSION"),
        ("model_summary", "--nodes=training.describe_network"),
    ],
)
def test_what_the_newest_model_lost_is_not_taken_from_an_older_one(catalog, tmp_path, deleted, command):
    lack(catalog)
    (tmp_path / deleted / NEW / deleted).unlink()
    catalog.get(deleted).release()

    with pytest.raises(UserError) as raised:
        lack(catalog)
    assert raised.value.message == (
        f"There is no {deleted} of the newest model ({NEW}); make it with: kedro run {command}."
    )
    lack(catalog, newest_model=False)  # an older one was named


def test_a_network_is_trained_again_by_the_recipe_of_an_older_model(catalog, tmp_path):
    (tmp_path / "training_recipe" / NEW / "training_recipe").unlink()

    refuse_missing({"training_recipe"}, catalog, {}, newest_model=True)


def test_several_that_are_missing_are_named_the_model_first_with_the_environment(catalog, tmp_path):
    for name in ("pneumonia_model", "model_lineage", "model_summary"):
        for version in (OLD, NEW):
            (tmp_path / name / version / name).unlink()

    with pytest.raises(UserError, match=re.escape(
        "There is no pneumonia_model yet, nor model_lineage, model_summary; make them with: kedro run "
        "--pipelines=training --env=demo."
    )):  # fmt: skip
        lack(catalog, env="demo")


@pytest.mark.parametrize(
    ("place", "given", "option"),
    [
        ("images", None, ""),
        ("elsewhere", None, " --params=images=PATH"),
        ("my images", "my images", " --params=images='my images'"),
        ("s3://bucket/images", None, ""),
    ],
)
def test_the_advice_names_the_images_where_the_advised_run_would_not_find_them(tmp_path, place, given, option):
    (tmp_path / "images").mkdir()
    path = place if "://" in place else str(tmp_path / place)
    service = {"service": "pneumonia.datasets.services.open_images", "arguments": {"path": path, "address": path}}
    catalog = DataCatalog.from_config(
        {
            "chest_xrays": {"type": "pneumonia.datasets.ServiceDataset", **service},
            "split_manifest": {"type": "pneumonia.datasets.TableDataset", "filepath": str(tmp_path / "manifest.csv")},
        }
    )

    with pytest.raises(UserError, match=re.escape(f"make it with: kedro run --pipelines=ingest{option}.") + "$"):
        refuse_missing(
            {"chest_xrays", "split_manifest"}, catalog, {"runtime_params": {"images": given}}, newest_model=False
        )


def test_what_was_removed_is_not_taken_from_an_older_run(tmp_path):
    names = ("scores", "decision", "predictions")
    entry = {"type": "pneumonia.datasets.RecordDataset", "versioned": True}
    for name in names:
        for version in (OLD, NEW):
            file = tmp_path / name / version / name
            file.parent.mkdir(parents=True)
            file.write_text("{}")
    (tmp_path / "decision" / NEW / "decision").unlink()
    catalog = DataCatalog.from_config({name: {**entry, "filepath": str(tmp_path / name)} for name in names})

    with pytest.raises(UserError) as raised:
        refuse_missing({"decision"}, catalog, {}, newest_model=True)
    assert raised.value.message == f"There is no decision of version {NEW}; make it with: kedro run."


def test_what_only_a_pipeline_beside_the_default_run_makes_is_made_by_that_pipeline():
    assert options_to_make({"external_predictions"}, lambda name: False) == ["--pipelines=external"]
    assert options_to_make({"external_predictions", "decision"}, lambda name: False) == []


configure_project("pneumonia")
FIRST, SECOND = "2026-01-01T00.00.00.000Z", "2026-01-02T00.00.00.000Z"
# The first is made from nothing that the evaluation makes, the last is read by nothing but the pages.
MADE = ("checked_lineage", "scores", "decision", "predictions", "metrics", "metrics_table")
ANOTHER_FIRST = "patient_counts"


@pytest.fixture
def versions(tmp_path):
    """Let two evaluations have made some of what they make; return the folder of each version."""
    folders = {(name, version): tmp_path / name / version for name in MADE for version in (FIRST, SECOND)}
    for (name, _), folder in folders.items():
        folder.mkdir(parents=True)
        (folder / name).write_text("{}")
    return folders


def find(tmp_path, *names, load_versions=None):
    entry = {"type": "pneumonia.datasets.RecordDataset", "versioned": True}
    made = {name: {**entry, "filepath": str(tmp_path / name)} for name in (*MADE, ANOTHER_FIRST)}
    return find_removed(names, DataCatalog.from_config(made, load_versions=load_versions))


def test_what_is_there_was_not_removed(versions, tmp_path):
    assert find(tmp_path, *MADE) == {}


@pytest.mark.parametrize("name", ["scores", "decision", "predictions", "metrics"])
def test_what_a_run_made_before_and_after_tells_what_was_removed(versions, tmp_path, name):
    shutil.rmtree(versions[name, SECOND])

    assert find(tmp_path, *MADE) == {name: SECOND}
    assert find(tmp_path, *MADE, load_versions={name: FIRST}) == {}  # it was named


def test_what_the_first_node_made_was_removed_where_another_first_node_made_something(versions, tmp_path):
    shutil.rmtree(versions["checked_lineage", SECOND])
    assert find(tmp_path, *MADE) == {}  # the results may have been made again from the older one

    (another := tmp_path / ANOTHER_FIRST / SECOND / ANOTHER_FIRST).parent.mkdir(parents=True)
    another.write_text("{}")
    assert find(tmp_path, *MADE) == {"checked_lineage": SECOND}


@pytest.mark.parametrize("name", ["checked_lineage", "scores", "metrics"])
def test_the_folder_that_is_left_tells_what_was_removed(versions, tmp_path, name):
    (versions[name, SECOND] / name).unlink()
    assert find(tmp_path, *MADE) == {name: SECOND}

    for later in MADE[MADE.index(name) + 1 :]:
        shutil.rmtree(versions[later, SECOND])
    assert find(tmp_path, *MADE) == {}  # a run was stopped before it had written the file


@pytest.mark.parametrize("last", ["scores", "predictions", "metrics"])
def test_what_a_stopped_run_did_not_make_was_not_removed(versions, tmp_path, last):
    for name in MADE[MADE.index(last) + 1 :]:
        shutil.rmtree(versions[name, SECOND])

    assert find(tmp_path, *MADE) == {}


def test_what_was_made_again_from_what_there_was_does_not_tell_that_anything_was_removed(versions, tmp_path):
    for name in ("checked_lineage", "scores", "decision"):
        shutil.rmtree(versions[name, SECOND])

    assert find(tmp_path, *MADE) == {}
