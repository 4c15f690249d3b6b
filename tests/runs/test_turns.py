from concurrent.futures import ThreadPoolExecutor

import pytest
from kedro.framework.hooks import hook_impl
from kedro.framework.hooks.manager import _create_hook_manager
from kedro.framework.project import configure_project, settings

from pneumonia.base.errors import UserError
from pneumonia.runs import stages
from pneumonia.runs.turns import TurnsHook

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

        assert second.result(timeout=60) is None


@pytest.mark.parametrize("ended", [succeed, fail, be_refused])
def test_however_a_run_ended_the_next_begins(hook, ended):
    ended(hook)

    with ThreadPoolExecutor() as pool:
        assert pool.submit(succeed, hook, SECOND).result(timeout=60) is None


def test_a_run_of_another_threads_version_is_refused(hook):
    succeed(hook)

    with ThreadPoolExecutor() as pool, pytest.raises(UserError, match="same millisecond, as version first. Send this"):
        pool.submit(succeed, hook).result(timeout=60)


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
