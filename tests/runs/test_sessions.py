from concurrent.futures import ThreadPoolExecutor

import pytest
from kedro.framework.hooks import hook_impl
from kedro.framework.hooks.manager import _create_hook_manager
from kedro.framework.project import configure_project, settings
from kedro.framework.startup import bootstrap_project

from pneumonia.base.errors import UserError
from pneumonia.runs import stages
from pneumonia.runs.sessions import TurnsHook, refuse_unknown


@pytest.fixture(autouse=True)
def registered(project):
    """The pipelines of this checkout, as `kedro run` finds them."""
    bootstrap_project(project)


UNKNOWN = [
    ({"pipeline_names": ["trainig"]}, r"There is no pipeline trainig\. Did you mean training\?"),
    ({"pipeline_name": "trainig"}, r"There is no pipeline trainig\. Did you mean training\?"),
    ({"pipeline_names": ["ingest", "zzz"]}, r"There is no pipeline zzz\. Known: adaptation, .*, training\."),
    (
        {"pipeline_names": ["training"], "from_nodes": ["split_images"]},
        r"--from-nodes: there is no split_images in training\. Did you mean ingest\.split_images\?",
    ),
    (
        {"to_nodes": ["prediction.predict_images"]},
        r"--to-nodes: there is no prediction\.predict_images in the default run\. "
        r"It is in --pipelines=prediction\.",
    ),
    ({"node_names": ("ingest.splitimages",)}, r"--nodes: .*Did you mean ingest\.split_images or .*\?"),
    ({"to_nodes": ["qqq"]}, r"--to-nodes: there is no qqq in .* Known: .* and \d+ more\."),
    ({"tags": ("training", "evalution")}, r"--tags: there is no evalution in .* Did you mean evaluation\?"),
    (
        {"from_inputs": ["split_manifst"]},
        r"--from-inputs: there is no split_manifst .* Did you mean split_manifest.*\?",
    ),
    ({"to_outputs": ["new_predictions"]}, r"--to-outputs: .* It is in --pipelines=prediction\."),
    (
        {"load_versions": {"pneumonia_modl": "2026"}},
        r"--load-versions: there is no pneumonia_modl in the default run\. Did you mean pneumonia_model\?",
    ),
]


@pytest.mark.parametrize(("selection", "message"), UNKNOWN)
def test_a_name_that_does_not_exist_is_refused_with_the_nearest(selection, message):
    with pytest.raises(UserError, match=f"^{message}$"):
        refuse_unknown(selection)


@pytest.mark.parametrize(
    "selection",
    [
        {"from_nodes": ["training.train_network"], "to_nodes": ["ingest.split_images"]},
        {"tags": ["ingest"], "node_names": ["training.train_network"]},
        {"namespaces": ["lab"]},
    ],
)
def test_a_selection_that_leaves_nothing_is_refused(selection):
    with pytest.raises(UserError, match=r"^Nothing to run: "):
        refuse_unknown(selection)


@pytest.mark.parametrize(
    "selection",
    [
        {},
        {"pipeline_names": [], "tags": (), "load_versions": None},
        {"pipeline_names": ["ingest", "imbalance"], "to_nodes": ["imbalance.weigh_classes"]},
        {"tags": ["training"], "load_versions": {"split_manifest": "2026", "new_predictions": "2026"}},
        {"pipeline_names": ["prediction"], "to_outputs": ["new_predictions"]},
    ],
)
def test_names_that_exist_are_accepted(selection):
    refuse_unknown(selection)


def test_a_run_may_start_from_a_parameter():
    refuse_unknown({"from_inputs": ["params:evaluation"]})


RUN = {"run_params": {"run_id": "first"}, "pipeline": None, "catalog": None}
SECOND = RUN | {"run_params": {"run_id": "second"}}


class OtherHook:
    """Refuses a run."""

    @hook_impl
    def before_pipeline_run(self, run_params):
        if "refused" in run_params:
            raise UserError("No.")


@pytest.fixture
def hook():
    """What Kedro calls."""
    manager = _create_hook_manager()
    manager.register(TurnsHook())
    manager.register(OtherHook())
    return manager.hook


def succeed(hook, run=RUN):
    hook.before_pipeline_run(**run)
    hook.after_pipeline_run(**run, run_result={})


def fail(hook):
    hook.before_pipeline_run(**RUN)
    hook.on_pipeline_error(**RUN, error=ValueError())


def be_refused(hook):
    with pytest.raises(UserError):
        hook.before_pipeline_run(**RUN | {"run_params": {"run_id": "refused", "refused": True}})


def be_interrupted(hook):
    hook.before_pipeline_run(**RUN)


def test_a_run_waits_until_another_thread_has_ended_its_own(hook):
    with ThreadPoolExecutor() as pool:
        hook.before_pipeline_run(**RUN)
        second = pool.submit(succeed, hook, SECOND)
        with pytest.raises(TimeoutError):
            second.result(timeout=0.5)
        hook.after_pipeline_run(**RUN, run_result={})

        assert second.result(timeout=600) is None


@pytest.mark.parametrize("ended", [succeed, fail, be_refused])
def test_however_a_run_ended_the_next_begins(hook, ended):
    ended(hook)

    with ThreadPoolExecutor() as pool:
        assert pool.submit(succeed, hook, SECOND).result(timeout=600) is None


def test_a_run_of_another_threads_version_is_refused(hook):
    succeed(hook)

    with ThreadPoolExecutor() as pool, pytest.raises(UserError, match="same millisecond, as version first. Send this"):
        pool.submit(succeed, hook).result(timeout=600)


def test_after_a_run_that_was_interrupted_the_same_thread_begins_another(hook):
    be_interrupted(hook)

    succeed(hook)


def test_a_failed_run_says_nothing_more(hook):
    hook.before_pipeline_run(**RUN)
    stages.remind_of(stages.Stages([], lambda made: []))

    hook.on_pipeline_error(**RUN, error=ValueError())

    assert stages._reminding == []


def test_the_project_lets_runs_take_turns():
    configure_project("pneumonia")

    assert [isinstance(one, TurnsHook) for one in settings.HOOKS].count(True) == 1
