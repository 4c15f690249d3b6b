"""What happens around every run: parameters are checked, the run is recorded, errors are stated plainly."""

import logging
import os
import shlex
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

from jinja2 import TemplateError
from kedro.framework.hooks import hook_impl
from kedro.io.core import is_parameter
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from pneumonia.base.errors import UserError, hide_credentials
from pneumonia.base.parameters import Parameters
from pneumonia.base.startup import start_tensorflow, tell_memory_problem
from pneumonia.model.start import find_start
from pneumonia.runs import pinning
from pneumonia.runs.advice import MODEL, next_options, refuse_missing, with_env
from pneumonia.runs.configuration import check_entries, check_parameters
from pneumonia.runs.errors import causes, command_to_run, enter_environment, plain_message, plainly
from pneumonia.runs.node_inputs import refuse_foreign, scored_images
from pneumonia.runs.stages import Stages, nodes_to_run, remind_of, stop_reminding

logger = logging.getLogger(__name__)

# Datasets whose version a reader needs to find the same split and the same model again.
_TRACED_VERSIONS = ("split_manifest", "class_weights", "pneumonia_model", "parent_model")

# Datasets whose nodes compute with TensorFlow.
_NEED_TENSORFLOW = {"pneumonia_model", "parent_model", "batch_figure"}

# Address space without which a run does not end in time, or ends in a traceback. [bytes]
_LEAST, _LEAST_WITH_TENSORFLOW = 2e9, 4e9

# What a node raises where a record lacks the entries, or a table the columns, that it needs, or has others.
_OF_LAYOUT = (LookupError, TypeError, ValueError, AttributeError, TemplateError)

# Kedro's loggers that repeat an error, and advise how to go on, before the error itself is shown.
_SPEAK_OF_ERRORS = (
    "kedro.pipeline.node",
    *(f"kedro.runner.{kind}_runner" for kind in ("sequential", "thread", "parallel")),
)


class ParametersHook:
    """Refuses misspelt or impossible settings: parameters, and entries of the catalog, before anything is read."""

    @hook_impl
    @plainly
    def after_context_created(self, context: Any) -> None:
        """Check all parameters as merged from the files and ``--params``."""
        enter_environment(context.env)
        check_parameters(context.config_loader)

    @hook_impl(tryfirst=True)
    @plainly
    def before_pipeline_run(self, pipeline: Pipeline, catalog: Any) -> None:
        """Check the entries that the run uses, and that there is what a training starts from."""
        check_entries(pipeline, catalog)
        if "trained_models" in pipeline.inputs():
            weights = Parameters.model_validate(catalog.load("parameters")).model.weights
            find_start(weights, catalog.load("trained_models"))


class RunContextHook:
    """Records how a run was made, checks that its inputs exist, and makes it read its own outputs."""

    @hook_impl
    @plainly
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: Any) -> None:
        """Tell ``run_context`` how the run was started; refuse a run whose inputs were never made.

        Raises:
            UserError: Naming the missing dataset and the command that makes it.
        """
        given = pinning.name_parent(run_params.get("load_versions") or {}, pipeline, catalog)
        pinning.check_load_versions(given, pipeline, catalog)
        if "pneumonia_model" in given:
            pinning.pin_companions(given, pipeline, catalog)
        pinning.pin_parent(given, pipeline, catalog)
        sources = {name for name in pipeline.inputs() if not is_parameter(name)}
        refuse_missing(sources, catalog, run_params, newest_model=not given.keys() & {*MODEL, pinning.PARENT})
        if "checked_lineage" in catalog:
            pinning.refuse_mixture(sources & (pinning.outputs_by_stage()["evaluation"] | {"model_lineage"}), catalog)
            if "pneumonia_model" not in given:
                pinning.refuse_other_split(sources, catalog)
        if not run_params.get("only_missing_outputs"):
            pinning.pin_outputs(pipeline, catalog)
        pinning.warn_of_the_clock(run_params["run_id"], pipeline, catalog)
        if "run_context" in sources:
            catalog.save("run_context", _describe_start(run_params, pipeline, catalog))


class ScoringLedgerHook:
    """Notes which images a model scores, before it does, so that a run that is stopped counts as well."""

    @hook_impl
    @plainly
    def before_node_run(self, node: Node, catalog: Any, inputs: dict[str, Any], run_id: str) -> None:
        """Note the images that the node's inputs list."""
        if sha256s := scored_images(node.name, inputs):
            catalog.load("scoring_ledger").note(run_id, sha256s)


class LayoutHook:
    """Names what an earlier run saved, and a node cannot use: of another model or release, or edited and trusted.

    What is read by many steps has a contract of its own (`validator` in the catalog), which names the entry.
    """

    def __init__(self) -> None:
        """Begin without a run."""
        self._read: set[str] = set()

    @hook_impl
    def before_pipeline_run(self, pipeline: Pipeline, catalog: Any) -> None:
        """Remember what the run reads of earlier ones."""
        stored = {name for name in pipeline.inputs() if not is_parameter(name)}
        self._read = {name for name in stored if getattr(catalog.get(name), "is_of_earlier_runs", False)}

    @hook_impl
    @plainly
    def before_node_run(self, inputs: dict[str, Any]) -> None:
        """Refuse a model or manifest that is not the one of the lineage beside it, as an evaluation does first."""
        refuse_foreign(inputs, self._read)

    @hook_impl
    def on_node_error(self, error: Exception, node: Any) -> None:
        """Say which inputs may be at fault, and where it was noticed.

        Raises:
            UserError: Unless the error is another one, or the node reads nothing of earlier runs.
        """
        read = sorted(self._read.intersection(node.inputs))
        if not read or plain_message(error) or not isinstance(error, _OF_LAYOUT):
            return
        logger.debug("%s failed.", node.name, exc_info=error)
        frames = traceback.extract_tb(error.__traceback__)
        ours = [frame for frame in frames if Path(frame.filename).is_relative_to(Path(__file__).parent)]
        place = (ours or frames)[-1]
        noticed = f"{type(error).__name__} in {Path(place.filename).name}, line {place.lineno}: {str(error)[:200]}"
        raise UserError(
            f"{node.name} cannot use what earlier runs saved ({noticed}). One of these was edited, or is of another "
            f"release: {', '.join(read)}. Make it again by its pipeline; if that does not help, report it."
        ) from error


class TrainingStateHook:
    """Removes the state of a training once its model is saved and the whole run has succeeded."""

    @hook_impl
    @plainly
    def after_pipeline_run(self, pipeline: Pipeline, catalog: Any) -> None:
        """Remove the state of the training that this run has finished, and no other."""
        if "training_state" in pipeline.inputs():
            catalog.load("training_state").remove(catalog.load("model_lineage")["training_key"])


class TensorFlowHook:
    """Starts TensorFlow quietly when a node first needs it."""

    def __init__(self) -> None:
        """Begin without TensorFlow."""
        self._lock, self._is_started, self._device = threading.Lock(), False, "auto"

    @hook_impl
    @plainly
    def before_pipeline_run(self, pipeline: Pipeline, catalog: Any) -> None:
        """Check that the run may use enough memory.

        Raises:
            UserError: If not.
        """
        needs_tensorflow = not _NEED_TENSORFLOW.isdisjoint(pipeline.datasets())
        if problem := tell_memory_problem(_LEAST_WITH_TENSORFLOW if needs_tensorflow else _LEAST):
            raise UserError(problem)
        if needs_tensorflow:
            self._device = Parameters.model_validate(catalog.load("parameters")).training.device
        self._is_started = False

    @hook_impl
    @plainly
    def before_dataset_loaded(self, node: Node) -> None:
        """Start it on the requested devices, before a node that computes with it reads anything.

        Two threads of ThreadRunner must not import it at the same time, and devices cannot be chosen once it computes.
        """
        if self._is_started or _NEED_TENSORFLOW.isdisjoint([*node.inputs, *node.outputs]):
            return
        with self._lock:
            if not self._is_started:
                if "tensorflow" not in sys.modules:
                    logger.info("Starting TensorFlow.")
                from pneumonia.model.hardware import prepare_devices

                start_tensorflow()
                prepare_devices(self._device)
                self._is_started = True


class StagesHook:
    """Says what a run does, how far it is, what it found, where its report is, and what comes next."""

    _process = 0

    @hook_impl(trylast=True)  # a run that is refused has not begun
    @plainly
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: Any) -> None:
        """Announce the first stage."""
        from pneumonia.report.messages import closing_lines

        self._process = os.getpid()
        self._stages = Stages(
            nodes_to_run(run_params, pipeline, catalog), lambda made: closing_lines(made, catalog.load)
        )
        self._stages.begin()
        remind_of(self._stages)

    @hook_impl
    def before_dataset_loaded(self, node: Node) -> None:
        """Note which node is run."""
        if self._process == os.getpid():  # ParallelRunner runs nodes in others, which say nothing
            self._stages.enter(node)

    @hook_impl
    def after_dataset_loaded(self, dataset_name: str, data: Any) -> None:
        """Note how many images there are."""
        if self._process == os.getpid() and dataset_name == "split_manifest":
            self._stages.images = len(data)

    @hook_impl
    @plainly
    def after_dataset_saved(self, dataset_name: str) -> None:
        """Note what is made."""
        if self._process == os.getpid():
            self._stages.save(dataset_name)

    @hook_impl
    @plainly
    def after_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: Any) -> None:
        """Say where the report is, and what comes next."""
        from pneumonia.report.messages import PAGES, say_page

        stop_reminding()
        self._stages.end()
        for name, title in PAGES.items():
            if name in pipeline.all_outputs():
                logger.info(say_page(pinning.file_of(catalog, name), title))
        if options := next_options(pipeline, has_model=catalog.exists("pneumonia_model")):
            logger.info("Next: %s", with_env(f"{command_to_run()} {options}", run_params))


class UserErrorHook:
    """Reports an error that a user can fix on one line, and only once, however deeply Kedro wrapped it."""

    @hook_impl
    def after_context_created(self) -> None:
        """Silence Kedro about errors that end the run with a message of this project."""
        for name in _SPEAK_OF_ERRORS:
            logging.getLogger(name).addFilter(_is_of_no_user_error)

    @hook_impl
    @plainly
    def on_pipeline_error(self, error: Exception) -> None:
        """Raise what a user can act on behind ``error``, if there is anything."""
        if message := plain_message(error):
            raise UserError(message) from error


def _is_of_no_user_error(_: logging.LogRecord) -> bool:
    """Tell whether a message is to be shown: it is not logged while a `UserError` is being handled."""
    return not any(isinstance(cause, UserError) for cause in causes(sys.exc_info()[1]))


def _describe_start(run_params: dict[str, Any], pipeline: Pipeline, catalog: Any) -> dict[str, Any]:
    """Return how a run was started, which only a hook is told."""
    made_here = {name for node in nodes_to_run(run_params, pipeline, catalog) for name in node.outputs}
    versions = {
        name: run_params["run_id"] if name in made_here else catalog.get(name).resolve_load_version()
        for name in _TRACED_VERSIONS
        if name in pipeline.datasets()
    }
    return {
        "run_id": run_params["run_id"],
        "environment": run_params.get("env") or "local",
        "command": hide_credentials(shlex.join([*command_to_run().removesuffix(" run").split(), *sys.argv[1:]])),
        "versions": versions,
    }
