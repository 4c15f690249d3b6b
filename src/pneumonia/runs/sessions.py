"""Runs that refuse unknown names before anything is read, and wait for others of the same process."""

import difflib
import logging
import threading
from collections.abc import Collection, Generator, Mapping
from inspect import signature
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from kedro.pipeline import Pipeline

from pneumonia.base.errors import UserError
from pneumonia.runs.errors import PlainError, plainly
from pneumonia.runs.stages import stop_reminding

_SHOWN = 12

logger = logging.getLogger(__name__)


class PlainSession(KedroSession):
    """A session whose runs end with one sentence if a pipeline, node, tag or dataset does not exist."""

    @plainly
    def run(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Run as `KedroSession.run` does.

        Raises:
            UserError: If the selection names something that does not exist, or leaves nothing to run.
        """
        refuse_unknown(signature(KedroSession.run).bind(self, *args, **kwargs).arguments)
        try:
            return super().run(*args, **kwargs)
        finally:
            stop_reminding()


def refuse_unknown(selection: Mapping[str, Any]) -> None:
    """Refuse names that no pipeline has, and selections without nodes.

    Args:
        selection: Arguments of `KedroSession.run`.

    Raises:
        UserError: With the nearest existing names.
    """
    names = selection.get("pipeline_names") or [selection.get("pipeline_name") or "__default__"]
    for name in names:
        if name not in pipelines:
            raise UserError(f"There is no pipeline {name}. {_nearest(name, pipelines.keys() - {'__default__'})}")
    chosen = sum((pipelines[name] for name in names), Pipeline([]))
    for option, known in _names(chosen).items():
        for name in set(selection.get(option) or ()) - known:
            homes = [home for home, pipeline in pipelines.items() if name in _names(pipeline)[option]]
            if homes and option == "load_versions":
                continue  # a model that is named brings its companions, though the run may not read the model itself
            where = ", ".join(names).replace("__default__", "the default run")
            hint = f"It is in --pipelines={homes[0]}." if homes else _nearest(name, known)
            raise UserError(
                f"--{option.replace('node_names', 'nodes').replace('_', '-')}: there is no {name} in {where}. {hint}"
            )
    given = {key: list(selection[key]) for key in _names(chosen) if selection.get(key) and key != "load_versions"}
    try:
        chosen.filter(**given, node_namespaces=selection.get("namespaces"))
    except ValueError as error:  # the only cause left: all names are known
        raise UserError("Nothing to run: no node is selected by these options.") from error


def _names(pipeline: Pipeline) -> dict[str, set[str]]:
    """Return the names in a pipeline that an option of a run may contain, by the option."""
    nodes = {node.name for node in pipeline.nodes}
    data = pipeline.datasets()
    tags = {tag for node in pipeline.nodes for tag in node.tags}
    of_nodes = dict.fromkeys(("node_names", "from_nodes", "to_nodes"), nodes)
    return {"tags": tags, **of_nodes, **dict.fromkeys(("from_inputs", "to_outputs", "load_versions"), data)}


def _nearest(name: str, known: Collection[str]) -> str:
    """Suggest similar names, or list a few known names if none is similar.

    A node is also found by its last part, `split_images` for `ingest.split_images`.
    """
    names = sorted(known)
    near = [full for full in names if full.endswith(f".{name}")] or difflib.get_close_matches(name, names)
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"Did you mean {' or '.join(near)}?" if near else f"Known: {', '.join(names[:_SHOWN])}{more}."


class TurnsHook:
    """Lets a run wait until another of the same process has ended.

    `kedro server` starts a run for each request, in threads of one process and with the same hooks. These, Matplotlib
    and the devices of TensorFlow serve one run at a time.
    """

    def __init__(self) -> None:
        """Begin without a run."""
        # No hook hears of the end of a run that was interrupted: its thread may begin another all the same.
        self._turn = threading.RLock()
        self._begun: dict[str, int] = {}

    @hook_impl(wrapper=True)
    def before_pipeline_run(self, run_params: dict[str, Any]) -> Generator[None, Any, Any]:
        """Wait for the turn before another hook is called; give it up if one refuses the run.

        Raises:
            UserError: If another thread began a run of the same version, whose files this one would write.
        """
        run_id, thread = run_params["run_id"], threading.get_ident()
        if self._begun.setdefault(run_id, thread) != thread:
            raise PlainError(f"Another run began in the same millisecond, as version {run_id}. Send this one again.")
        if not self._turn.acquire(blocking=False):
            logger.info("Another run is in progress; this one begins when it has ended.")
            self._turn.acquire()
        try:
            return (yield)
        except BaseException:
            self._turn.release()
            raise

    @hook_impl(wrapper=True)
    def after_pipeline_run(self) -> Generator[None, Any, Any]:
        """Give up the turn when all other hooks were called."""
        return (yield from self._end())

    @hook_impl(wrapper=True)
    def on_pipeline_error(self) -> Generator[None, Any, Any]:
        """Give up the turn when all other hooks were called."""
        return (yield from self._end())

    def _end(self) -> Generator[None, Any, Any]:
        try:
            return (yield)
        finally:
            stop_reminding()
            self._turn.release()
