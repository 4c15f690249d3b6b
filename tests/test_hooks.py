import errno
import os
import sys
import tarfile
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pandas as pd
import pytest
from jinja2 import UndefinedError
from kedro.config import OmegaConfigLoader
from kedro.framework.project import configure_project
from kedro.io import AbstractDataset, DataCatalog, DatasetError, MemoryDataset, Version
from kedro.pipeline import Node, Pipeline
from kedro.runner import SequentialRunner
from pydantic import ValidationError

from pneumonia import hooks
from pneumonia.base.errors import UserError
from pneumonia.base.parameters import Parameters
from pneumonia.base.sqlite import ScoringLedger
from pneumonia.datasets import RecordDataset, RunContextDataset, ServiceDataset, TrainingStateDataset
from pneumonia.hooks import (
    ParametersHook,
    RunContextHook,
    ScoringLedgerHook,
    TensorFlowHook,
    TrainingStateHook,
    UserErrorHook,
)

configure_project("pneumonia")

BEFORE = "2025-12-31T00.00.00.000Z"
FIRST = "2026-01-01T00.00.00.000Z"
SECOND = "2026-01-02T00.00.00.000Z"
THIRD = "2026-01-03T00.00.00.000Z"

CONF = "conf"


def context(project, runtime_params=None, env="base"):
    """The part of a Kedro context that the hook reads, over the project's own configuration."""
    loader = OmegaConfigLoader(
        conf_source=str(project / CONF),
        base_env="base",
        default_run_env="local",
        env=env,
        runtime_params=runtime_params,
        merge_strategy={"parameters": "soft"},
    )
    return SimpleNamespace(config_loader=loader, env=None)


@pytest.mark.parametrize("env", ["base", "demo", "notes"])
def test_the_parameters_of_every_environment_are_accepted(project, env):
    ParametersHook().after_context_created(context(project, env=env))


@pytest.mark.parametrize(
    ("runtime_params", "message"),
    [
        ({"imges": "/x"}, r"imges: no such parameter; did you mean images\?"),
        ({"training": {"epoch": 3}}, r"training\.epoch: no such parameter; did you mean training\.epochs\?"),
        ({"training": {"epochs": 0}}, r"training\.epochs: Input should be greater than or equal to 1 \(given: 0\)"),
        ({"training": {"epochs": "many"}}, r"training\.epochs: Input should be a valid integer \(given: 'many'\)"),
        ({"inputs": {"resize": "stretch"}}, r"inputs\.resize: Input should be 'pad', 'crop' or 'squeeze'"),
        ({"model": {"name": "vgg"}}, r"model\.name is 'vgg'; known networks: .*residual_cnn"),
        ({"trainng": {"epochs": 3}}, r"trainng: no such parameter; did you mean training\?"),
        ({"training": 3}, r"training: Input should be a valid dictionary .* \(given: 3\)"),
        ({"images": None}, r"images: must be a path.* \(given: None\)"),
        ({"images": "https://[::1/set.zip"}, r"https://\[::1/set\.zip, which is no address \(Invalid IPv6 URL\)"),
        ({"images": {"a/b": "x"}}, r"(?m)^  Value error, 'a/b' is no name of a source: .* dot$"),
        ({"images": 2024}, r"images: must be a path.* a number is written as \./2024"),
    ],
)
def test_a_wrong_parameter_is_named_with_what_was_given(project, runtime_params, message):
    with pytest.raises(UserError, match=message):
        ParametersHook().after_context_created(context(project, runtime_params))


def test_images_of_no_source_are_refused(default_parameters):
    with pytest.raises(ValidationError, match="images names no source: it must be a path, or a path for each name"):
        Parameters.model_validate({**default_parameters, "images": {}})


def test_several_wrong_parameters_are_named_at_once(project):
    wrong = {"training": {"epochs": 0, "batch_size": 0}}

    with pytest.raises(UserError) as error:
        ParametersHook().after_context_created(context(project, wrong))
    assert "training.epochs" in error.value.message
    assert "training.batch_size" in error.value.message


@pytest.fixture(params=["folder", "archive"])
def conf_source(request, project, tmp_path):
    """The configuration as it lies in the checkout, and as `kedro package` packs it."""
    if request.param == "folder":
        return project / CONF
    with tarfile.open(tmp_path / "conf-pneumonia.tar.gz", "w:gz") as archive:
        archive.add(project / CONF, CONF)
    return tmp_path / "conf-pneumonia.tar.gz"


def test_an_unknown_environment_is_named_with_those_of_the_folder_or_archive(conf_source):
    loader = OmegaConfigLoader(conf_source=str(conf_source), base_env="base", env="dmeo")

    with pytest.raises(UserError) as error:
        ParametersHook().after_context_created(SimpleNamespace(config_loader=loader, env=None))
    assert error.value.message == f"There is no environment dmeo in {conf_source}. Known: base, demo, local, notes."


@pytest.mark.parametrize("name", ["conf", "data", "notes.txt"])
def test_a_configuration_that_is_not_there_is_asked_for(tmp_path, name):
    (tmp_path / "data/demo").mkdir(parents=True)
    (tmp_path / "notes.txt").write_text("no archive")
    loader = OmegaConfigLoader(conf_source=str(tmp_path / name), base_env="base", env="demo")

    with pytest.raises(UserError, match=r"no environment demo in .*--conf-source"):
        ParametersHook().after_context_created(SimpleNamespace(config_loader=loader, env=None))


def test_images_given_for_a_run_are_accepted(project):
    ParametersHook().after_context_created(context(project, {"images": "/some/where.zip"}))


def test_images_set_where_the_catalog_does_not_look_are_refused(project, tmp_path):
    conf = tmp_path / CONF
    conf.mkdir()
    (conf / "base").symlink_to(project / CONF / "base")
    (conf / "lab").mkdir()
    (conf / "lab" / "parameters.yml").write_text("images: /lab/images\n")
    here = context(project)
    here.config_loader = OmegaConfigLoader(conf_source=str(conf), base_env="base", env="lab")

    with pytest.raises(UserError, match=r"'/lab/images', but the images are read from 'data/01_raw/chest_xray'"):
        ParametersHook().after_context_created(here)


def test_a_user_error_is_unwrapped(project):
    wrapped = DatasetError("Failed while loading data")
    wrapped.__cause__ = UserError("The file is cut.")

    with pytest.raises(UserError, match=r"^The file is cut\.$"):
        UserErrorHook().on_pipeline_error(wrapped)


@pytest.mark.parametrize(("error", "count"), [(UserError("No images."), 0), (ValueError("A bug."), 1)])
def test_kedro_does_not_repeat_an_error_that_is_said_in_a_sentence(caplog, error, count):
    def fail():
        raise error

    UserErrorHook().after_context_created()
    with pytest.raises(type(error)):
        SequentialRunner().run(Pipeline([Node(fail, None, "a", name="fail")]), DataCatalog())

    assert len([record for record in caplog.records if record.name == "kedro.pipeline.node"]) == count
    assert len([record for record in caplog.records if record.levelname == "WARNING"]) == count


@pytest.mark.parametrize(("dataset", "started"), [("pneumonia_model", 1), ("batch_figure", 1), ("report", 0)])
def test_tensorflow_is_started_before_the_threads_that_need_it_on_the_device_that_was_asked_for(
    monkeypatch, dataset, started, default_parameters
):
    done = []
    monkeypatch.setattr(hooks, "start_tensorflow", lambda: done.append("started"))
    monkeypatch.setattr("pneumonia.model.hardware.prepare_devices", done.append)
    training = {**default_parameters["training"], "device": "cpu"}
    catalog = DataCatalog({"parameters": MemoryDataset({**default_parameters, "training": training})})
    hook, nodes = TensorFlowHook(), [Node(lambda: 1, None, name, name=f"make_{name}") for name in ("table", dataset)]
    hook.before_pipeline_run(Pipeline(nodes), catalog)
    hook.before_dataset_loaded(nodes[0])
    assert done == []  # what needs no TensorFlow does not wait for it

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: hook.before_dataset_loaded(nodes[1]), range(4)))
    assert done == ["started", "cpu"] * started


def test_other_errors_are_left_alone():
    UserErrorHook().on_pipeline_error(DatasetError("something else"))


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "Free some disk space"),
        (errno.EACCES, "Fix the permissions"),
        (errno.EROFS, "Make the folder writable"),
    ],
)
def test_a_disk_that_refuses_is_named_with_what_to_do(number, remedy):
    wrapped = DatasetError("Failed while loading data")
    wrapped.__cause__ = OSError(number, os.strerror(number), "data/table.csv")

    with pytest.raises(UserError, match=rf"^data/table\.csv: {os.strerror(number)}\. {remedy} and run again"):
        UserErrorHook().on_pipeline_error(wrapped)


def test_a_missing_file_is_not_put_as_a_full_disk():
    with pytest.raises(UserError, match=r"^x: No such file\. Put it back, or remove the link"):
        UserErrorHook().on_pipeline_error(FileNotFoundError(errno.ENOENT, "No such file", "x"))


def rate(record, value):
    return record["auc"] / value


class Unusable:
    """Raises what no built-in container does, as a template does on what is undefined."""

    def __getitem__(self, name):
        raise UndefinedError(name)


def fail(catalog, **values):
    """Let a node fail on what it read, and tell the hook as Kedro does."""
    node, hook = Node(rate, ["record", "value"], "rate", name="evaluation.rate"), hooks.LayoutHook()
    hook.before_pipeline_run(Pipeline([node]), catalog)
    try:
        rate(**values)
    except Exception as error:  # noqa: BLE001
        hook.on_node_error(error, node)


@pytest.mark.parametrize("record", [{}, [], {"auc": "0.9"}, None, 3, Unusable()])
def test_what_an_earlier_run_saved_and_a_node_cannot_use_is_named(tmp_path, record):
    catalog = DataCatalog({"record": RecordDataset(filepath=str(tmp_path / "record.json")), "value": MemoryDataset(2)})
    with pytest.raises(
        UserError, match=r"^evaluation\.rate cannot use .*Error in test_hooks\.py, line \d+.*: record\."
    ):
        fail(catalog, record=record, value=2)


def test_an_error_that_no_earlier_run_can_have_caused_keeps_its_traceback(tmp_path):
    fail(DataCatalog({"record": MemoryDataset({}), "value": MemoryDataset(2)}), record={}, value=2)
    catalog = DataCatalog({"record": RecordDataset(filepath=str(tmp_path / "record.json")), "value": MemoryDataset(0)})
    fail(catalog, record={"auc": 0.9}, value=0)  # a division by zero: no layout makes it


def test_what_the_comparison_reads_is_of_earlier_runs(catalog_entries):
    read = ("all_metrics", "all_run_records", "all_predictions")
    assert all(AbstractDataset.from_config(name, catalog_entries[name]).is_of_earlier_runs for name in read)


def test_what_is_no_users_matter_keeps_its_traceback():
    UserErrorHook().on_pipeline_error(OSError("no number"))
    UserErrorHook().on_pipeline_error(KeyError("path"))


def test_a_run_reads_what_it_made_though_another_run_saves_a_newer_version(tmp_path):
    def record(version):
        return RecordDataset(filepath=str(tmp_path / "record.json"), version=Version(None, version))

    catalog = DataCatalog({"record": record(FIRST)})
    pipeline = Pipeline([Node(lambda: {}, None, "record", name="make")])
    RunContextHook().before_pipeline_run({"run_id": FIRST}, pipeline, catalog)
    catalog.save("record", {"run": "this one"})
    record(SECOND).save({"run": "another"})

    assert catalog.load("record") == {"run": "this one"}


@pytest.mark.parametrize(("former", "warnings"), [(THIRD, 1), (BEFORE, 0)])
def test_a_clock_that_was_set_back_is_noticed(tmp_path, caplog, former, warnings):
    RecordDataset(filepath=str(tmp_path / "record.json"), version=Version(None, former)).save({})
    ours = RecordDataset(filepath=str(tmp_path / "record.json"), version=Version(None, SECOND))
    pipeline = Pipeline([Node(lambda: {}, None, "record", name="make")])

    RunContextHook().before_pipeline_run({"run_id": SECOND}, pipeline, DataCatalog({"record": ours}))

    assert caplog.text.count(f"The clock is behind: record has a version {former}") == warnings


def test_a_start_that_does_not_exist_is_refused_before_the_images_are_read(default_parameters):
    given = {**default_parameters, "images": "none", "model": {"name": "residual_cnn", "weights": SECOND}}
    trained = ServiceDataset(service="pneumonia.datasets.services.find_models", arguments={"path": "nowhere"})
    catalog = DataCatalog({"parameters": MemoryDataset(given), "trained_models": trained})
    pipeline = Pipeline([Node(lambda models: {}, "trained_models", None, name="make")])

    with pytest.raises(UserError, match=f"model.weights is {SECOND}, but there is no such version"):
        ParametersHook().before_pipeline_run(pipeline, catalog)


@pytest.fixture
def record_run(tmp_path):
    """Return what is recorded of a run that makes a manifest."""
    manifest = RecordDataset(filepath=str(tmp_path / "manifest.json"), version=Version(None, SECOND))
    pipeline = Pipeline(
        [
            Node(lambda: {}, None, "split_manifest", name="make"),
            Node(lambda manifest, context: context, ["split_manifest", "run_context"], "report", name="read"),
        ]
    )

    def record(**options):
        catalog = DataCatalog({"run_context": RunContextDataset(path=str(tmp_path)), "split_manifest": manifest})
        given = {"run_id": SECOND, "env": None, **options}
        RunContextHook().before_pipeline_run(given, pipeline, catalog)
        return catalog.load("run_context")

    return record


def test_a_run_is_recorded_with_what_it_was_made_by(record_run, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/bin/kedro", "run", "--params=images=a b"])
    found = record_run()

    assert (found["run_id"], found["environment"], found["versions"]) == (
        SECOND,
        "local",
        {"split_manifest": SECOND},
    )
    assert found["command"] == "kedro run '--params=images=a b'"
    assert found["packages"]


def test_what_a_run_finds_and_does_not_make_again_is_recorded_with_its_own_version(record_run, tmp_path):
    assert record_run(only_missing_outputs=True)["versions"] == {"split_manifest": SECOND}

    RecordDataset(filepath=str(tmp_path / "manifest.json"), version=Version(None, FIRST)).save({})
    assert record_run(only_missing_outputs=True)["versions"] == {"split_manifest": FIRST}


def test_the_state_of_a_training_is_forgotten_once_the_run_has_succeeded(tmp_path):
    dataset = TrainingStateDataset(filepath=str(tmp_path / "states"), tensorboard_logs=str(tmp_path / "logs"))
    for key in ("ours", "theirs"):
        dataset.load().of(key).write({}, {})
    lineage = MemoryDataset({"training_key": "ours"})
    catalog = DataCatalog({"training_state": dataset, "model_lineage": lineage})

    TrainingStateHook().after_pipeline_run(Pipeline([Node(print, "other", None, name="other")]), catalog)
    assert dataset.load().of("ours").path.exists()
    TrainingStateHook().after_pipeline_run(Pipeline([Node(print, "training_state", None, name="train")]), catalog)
    assert not dataset.load().of("ours").path.exists()
    assert dataset.load().of("theirs").path.exists()


def test_images_are_noted_before_they_are_scored_so_that_a_stopped_run_counts(tmp_path):
    def score(split_manifest):
        counted.extend(ledger.count(split_manifest["sha256"]))
        raise RuntimeError("stopped")

    counted: list[int] = []
    ledger, hook = ScoringLedger(tmp_path / "scorings.sqlite"), ScoringLedgerHook()
    manifest = pd.DataFrame({"split": ["train", "test"], "sha256": ["a", "b"]})
    catalog = DataCatalog(
        {"split_manifest": MemoryDataset(manifest), "scoring_ledger": MemoryDataset(ledger, "assign")}
    )
    node = Node(score, "split_manifest", "scores", name="score_images", namespace="evaluation")
    hook.before_node_run(node=node, catalog=catalog, inputs={"split_manifest": manifest}, run_id="monday")
    with pytest.raises(RuntimeError, match="stopped"):
        node.run({"split_manifest": manifest})
    assert counted == [0, 1]
