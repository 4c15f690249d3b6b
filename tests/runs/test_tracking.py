import base64
import os
import shutil
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline
from matplotlib.figure import Figure
from tests.conftest import post, serving

from pneumonia.base.errors import UserError
from pneumonia.base.parameters import TrainingParameters
from pneumonia.base.study_parameters import EngineParameters
from pneumonia.runs import tracking
from pneumonia.runs.tracking import TrackingHook, list_curves, list_values

VERSION = "2026-01-01T00.00.00.000Z"
METRICS = {"external": {"auc": {"value": 0.9, "low": 0.8, "high": 0.95}, "npv": {"value": None}}}
HISTORY = pd.DataFrame({"epoch": [1, 2], "val_auc": [0.7, 0.8], "kept": [0, 1], "member": [1, 1]})
DOCUMENTS = ("external_metrics", "roc_figure", "model_card")
MADE = (*DOCUMENTS, "training_history", "pneumonia_model", "model_lineage", "decision")


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    """An empty database of MLflow, which takes seconds to make."""
    file = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    mlflow.MlflowClient(f"sqlite:///{file}").search_experiments()
    return file


@pytest.fixture
def here(tmp_path, monkeypatch, database):
    """An empty folder to run in; MLflow's environment is as before afterwards."""
    for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.chdir(tmp_path)
    shutil.copy(database, tmp_path)
    yield tmp_path
    for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def catalog(here, catalog_entries, default_parameters, trained_model):
    """What a run has made in this folder, and its parameters."""
    names = (*MADE, "image_range")
    versions = dict.fromkeys(names, VERSION)
    entries = {name: {**catalog_entries[name]} for name in names}
    lineage = {**trained_model["model_lineage"], "versions": {}, "manifest_sha256": "", "training": {"epochs": 3}}
    catalog = DataCatalog.from_config(entries, save_version=VERSION, load_versions=versions)
    made = {"external_metrics": METRICS, "training_history": HISTORY, "model_card": "# Card", "roc_figure": Figure()}
    made["model_lineage"] = lineage
    for name in names:
        catalog.save(name, {**trained_model, **made}[name])
    set_parameters(catalog, default_parameters, tracking_uri=f"sqlite:///{here}/mlflow.db")
    return catalog


def set_parameters(catalog, defaults, **mlflow):
    changed = {**defaults, "images": "s3://KEY:SECRET@bucket/set", "mlflow": {**defaults["mlflow"], **mlflow}}
    changed["training"] = TrainingParameters.model_validate(defaults["training"])  # as Kedro passes what a node takes
    engine = {**defaults["engine"], "address": "tcp://KEY:SECRET@host:8786"}
    changed["engine"] = EngineParameters.model_validate(engine)
    catalog["parameters"] = MemoryDataset(changed)


def track(catalog, *made, fails=False):
    """Do what Kedro does around a run that makes these datasets."""
    pipeline = Pipeline([Node(lambda: 1, None, name, name=f"make_{name}") for name in made])
    hook, run = TrackingHook(), {"run_id": VERSION, "env": "demo"}
    hook.before_pipeline_run(run_params=run, pipeline=pipeline, catalog=catalog)
    if fails:
        hook.on_pipeline_error(run_params=run)
    else:
        hook.after_pipeline_run(run_params=run, pipeline=pipeline, catalog=catalog)


def tracked():
    """The only run of the experiment."""
    (run,) = mlflow.search_runs(experiment_names=["pneumonia"], output_format="list")
    return run


def test_a_run_is_logged_with_parameters_intervals_curves_documents_and_figures(catalog):
    track(catalog, *MADE)

    run, client = tracked(), mlflow.MlflowClient()
    assert run.info.status == "FINISHED"
    assert run.data.params["training.decay"] == "cosine"
    assert run.data.params["images"] == "s3://***@bucket/set"
    assert run.data.params["engine.address"] == "tcp://***@host:8786"
    assert "SECRET" not in str(run.data.params)
    assert run.data.metrics == {
        "external/auc": 0.9, "external/auc_low": 0.8, "external/auc_high": 0.95, "epochs/val_auc": 0.8, "epochs/kept": 1
    }  # fmt: skip
    assert [(one.step, one.value) for one in client.get_metric_history(run.info.run_id, "epochs/val_auc")] == [
        (1, 0.7), (2, 0.8)
    ]  # fmt: skip
    assert run.data.tags["environment"] == "demo"
    assert "Training: 2 epochs" in run.data.tags["mlflow.note.content"]
    files = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert files == {"figures", "external_metrics.json", "model_card.md"}


def test_what_mlflow_keeps_beside_a_file_of_runs_is_ignored_by_git(catalog, here, project):
    track(catalog, *MADE)

    folder = Path(tracked().info.artifact_uri.removeprefix("file://")).relative_to(here).parts[0]
    assert f"{folder}/" in (project / ".gitignore").read_text().splitlines()


def test_an_evaluated_model_is_logged_and_on_request_registered(catalog, default_parameters, here, tiny_images):
    set_parameters(
        catalog, default_parameters, tracking_uri=f"sqlite:///{here}/mlflow.db", registered_model="our model"
    )
    track(catalog, *MADE, "image_range")

    model = mlflow.pyfunc.load_model("models:/our model/1")
    images = list(tiny_images.values())[:2]
    assert model.metadata.run_id == tracked().info.run_id
    by_bytes = model.predict(pd.DataFrame({"image": images}))
    Path("1.png").write_bytes(images[0])
    by_path = model.predict(pd.DataFrame({"path": ["1.png", "no.png", "."]}))
    assert by_bytes["in_range"].tolist() == ["yes", "yes"]
    assert by_path["probability"][0] == pytest.approx(by_bytes["probability"][0], abs=1e-6)
    assert set(by_bytes["decision"]) <= {"NORMAL", "PNEUMONIA"}
    assert by_path["probability"].tolist()[1:] == [None, None]
    assert by_path["reason"].tolist() == ["", "No such file or directory", "Is a folder"]


@pytest.mark.parametrize(("uri", "made"), [("none", "external_metrics"), ("http://127.0.0.1:9", "new_predictions")])
def test_a_run_is_not_tracked_without_being_asked_nor_where_it_predicts(catalog, default_parameters, uri, made):
    set_parameters(catalog, default_parameters, tracking_uri=uri)
    track(catalog, made)


@pytest.mark.parametrize("uri", ["http://u:secret@127.0.0.1:9", "nowhere://x", "postgresql://u:secret@127.0.0.1:9/x"])
def test_a_place_that_does_not_take_the_run_is_refused_before_it(catalog, default_parameters, uri, monkeypatch):
    set_parameters(catalog, default_parameters, tracking_uri=uri)
    with pytest.raises(UserError, match=r"^MLflow at .* does not take this run \(.*Nothing was run\.$") as error:
        track(catalog, "external_metrics")
    assert "secret" not in error.value.message


def test_the_wait_for_mlflow_is_announced_without_passwords(catalog, default_parameters, monkeypatch, caplog):
    caplog.set_level("INFO", "pneumonia")
    said = []
    monkeypatch.setattr(tracking, "_open_run", lambda *_: said.append(caplog.messages[-1]) or "run")
    monkeypatch.setattr(tracking, "_end", lambda *_: None)
    set_parameters(catalog, default_parameters, tracking_uri="http://NAME:SECRET@host:5000")

    track(catalog, "metrics", fails=True)

    assert said == ["MLflow: opening a run at http://***@host:5000."]


def test_without_mlflow_the_extra_is_named(catalog, monkeypatch):
    monkeypatch.setattr("pneumonia.runs.tracking.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"MLflow is not installed.*\.\[mlflow\]"):
        track(catalog, "external_metrics")


def test_a_run_that_fails_is_said_to_have_failed(catalog):
    track(catalog, "external_metrics", fails=True)
    assert tracked().info.status == "FAILED"


def test_a_server_that_fails_at_the_end_costs_a_warning(catalog, here, monkeypatch, caplog):
    pipeline = Pipeline([Node(lambda: 1, None, "external_metrics", name="make")])
    hook, run = TrackingHook(), {"run_id": VERSION}
    hook.before_pipeline_run(run_params=run, pipeline=pipeline, catalog=catalog)
    mlflow.set_tracking_uri("http://127.0.0.1:9")
    caplog.clear()

    hook.after_pipeline_run(run_params=run, pipeline=pipeline, catalog=catalog)
    assert [record.levelname for record in caplog.records if record.name.startswith("pneumonia")] == ["WARNING"]
    assert "The results are complete in this folder" in caplog.text


def test_curves_of_several_members_are_apart_and_counts_are_logged_too():
    history = pd.DataFrame({"epoch": [1, 1], "loss": [0.7, 0.5], "member": [1, 2]})
    assert list(list_curves(history)) == [("epochs/member 1/loss", 0.7, 1), ("epochs/member 2/loss", 0.5, 1)]
    assert list(list_values({"test": {"n": 3, "optimistic": False}})) == [("test/n", 3.0)]


def test_curves_have_no_point_where_nothing_was_measured():
    history = pd.DataFrame({"epoch": [1, 2], "val_auc": [np.nan, 0.9], "member": [1, 1]})
    assert list(list_curves(history)) == [("epochs/val_auc", 0.9, 2)]


@pytest.mark.slow
def test_mlflow_serves_the_model_over_http(catalog, here, tiny_images):
    track(catalog, *MADE, "image_range")
    serve = ["models", "serve", f"--model-uri=runs:/{tracked().info.run_id}/model", "--env-manager=local"]
    rows = [{"image": base64.b64encode(data).decode()} for data in (next(iter(tiny_images.values())), b"no image")]

    with serving(here, "mlflow", *serve, probe="/ping") as url:
        good, bad = post(f"{url}/invocations", {"dataframe_records": rows})["predictions"]

    assert 0 < good["probability"] < 1
    assert good["decision"] in {"NORMAL", "PNEUMONIA"}
    assert good["in_range"] == "yes"
    assert bad["decision"] == bad["in_range"] == ""
    assert bad["probability"] is None
    assert bad["reason"]
