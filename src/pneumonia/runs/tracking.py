"""A run in MLflow, where one is asked for: parameters, metrics with intervals, curves, documents and the model."""

import atexit
import logging
import os
import re
import shutil
import time
import warnings
from collections.abc import Iterator, Mapping
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
from kedro.framework.hooks import hook_impl
from kedro.pipeline import Pipeline

import pneumonia
from pneumonia.base.errors import UserError, hide_all_credentials, hide_credentials
from pneumonia.base.parameters import Parameters, as_dictionaries
from pneumonia.base.study_parameters import MlflowParameters
from pneumonia.model.checkpoint import flattened
from pneumonia.runs.errors import plainly
from pneumonia.runs.pinning import file_of, is_versioned

logger = logging.getLogger(__name__)

# Runs that make one of these are tracked. Predictions are not: their tables name files of patients.
MEASURED = ("metrics", "external_metrics", "adaptation_metrics")
TRACKED = {"pneumonia_model", *MEASURED}
# Names in MLflow contain none of them.
_OTHER_SIGNS = re.compile(r"[^/\w.\- :]")
_LONGEST = 6000  # characters of a parameter
# A server that does not answer is given up within a minute, not after ten; nothing is reported to MLflow's makers.
_ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}


class TrackingHook:
    """Tracks a run that trains or judges a model, if `mlflow.tracking_uri` says where.

    kedro-mlflow's hooks are not used: they need the whole of MLflow, open a run for every pipeline, and log a group of
    parameters as one text.
    """

    def __init__(self) -> None:
        """Begin without a run; a server may have several at a time."""
        self._open: dict[str, str] = {}

    @hook_impl
    @plainly
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: Any) -> None:
        """Open the run in MLflow.

        Raises:
            UserError: If MLflow is not installed, or does not take the run: better now than after the training.
        """
        parameters = catalog.load("parameters")
        settings = Parameters.model_validate(parameters).mlflow
        if settings.tracking_uri == "none" or TRACKED.isdisjoint(pipeline.all_outputs()):
            return
        os.environ.update({name: value for name, value in _ENVIRONMENT.items() if name not in os.environ})
        if find_spec("mlflow") is None:
            raise UserError(
                "mlflow.tracking_uri is set, but MLflow is not installed. Install the extra with `pip install -c "
                "constraints.txt -e '.[mlflow]'`, or set mlflow.tracking_uri=none."
            )
        logger.info("MLflow: opening a run at %s.", hide_credentials(settings.tracking_uri))
        from mlflow.exceptions import MlflowException

        try:
            run_id = _open_run(settings, run_params, parameters)
        except (MlflowException, ImportError, OSError) as error:
            raise UserError(
                f"MLflow at {hide_credentials(settings.tracking_uri)} does not take this run ({_said(error)}). Start "
                "the server, correct mlflow.tracking_uri, or set it to none. Nothing was run."
            ) from error
        self._open[run_params["run_id"]] = run_id
        atexit.register(_end, run_id, "KILLED")

    @hook_impl
    @plainly
    def after_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: Any) -> None:
        """Log what the run made. A server that fails now costs a warning: everything is already on disk."""
        if not (run_id := self._open.pop(run_params["run_id"], "")):
            return
        from mlflow.exceptions import MlflowException

        settings = Parameters.model_validate(catalog.load("parameters")).mlflow
        made = pipeline.all_outputs()
        try:
            _log_results(run_id, made, catalog)
            if {"decision", "image_range"} <= made:
                _log_model(run_id, catalog, settings.registered_model)
            _end(run_id, "FINISHED")
            logger.info(f"MLflow: run {run_id} of {settings.experiment}.")
        except (MlflowException, OSError) as error:
            _end(run_id, "FAILED")
            logger.warning(
                f"MLflow did not take everything ({_said(error)}). The results are complete in this folder; to log "
                "them again, run --pipelines=evaluation."
            )

    @hook_impl(tryfirst=True)
    def on_pipeline_error(self, run_params: dict[str, Any]) -> None:
        """Say in MLflow that the run failed, before the hook that raises a plain error."""
        if run_id := self._open.pop(run_params["run_id"], ""):
            _end(run_id, "FAILED")


def _end(run_id: str, status: str) -> None:
    """End a run, once; a server that is gone is told nothing."""
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    atexit.unregister(_end)
    try:
        MlflowClient().set_terminated(run_id, status)
    except (MlflowException, OSError) as error:
        logger.debug("The run was not ended in MLflow.", exc_info=error)


def _open_run(settings: MlflowParameters, run_params: Mapping[str, Any], parameters: Mapping[str, Any]) -> str:
    import mlflow
    from mlflow.entities import Param

    logging.getLogger("alembic").setLevel(logging.WARNING)
    mlflow.set_tracking_uri(settings.tracking_uri)
    mlflow.set_registry_uri(settings.tracking_uri)
    experiment, client = mlflow.set_experiment(settings.experiment), mlflow.MlflowClient()
    tags = {
        "version": run_params["run_id"],
        "pipelines": ", ".join(run_params.get("pipeline_names") or ["__default__"]),
        "environment": run_params.get("env") or "local",
    }
    run_id: str = client.create_run(experiment.experiment_id, tags=tags, run_name=run_params["run_id"]).info.run_id
    groups = {name: group for name, group in as_dictionaries(parameters).items() if name != "mlflow"}
    shown = hide_all_credentials(groups)
    params = [Param(_name(name), str(value)[:_LONGEST]) for name, value in flattened(shown).items()]
    client.log_batch(run_id, params=params)
    return run_id


def _log_results(run_id: str, made: set[str], catalog: Any) -> None:
    """Log metrics, curves, and every file of the reporting layer; the run's closing words are its description."""
    from mlflow import MlflowClient
    from mlflow.entities import Metric

    from pneumonia.report.messages import closing_lines

    client, now = MlflowClient(), int(time.time() * 1000)
    values = [
        (name, value, 0) for record in made.intersection(MEASURED) for name, value in list_values(catalog.load(record))
    ]
    if "training_history" in made:
        values += list_curves(catalog.load("training_history"))
    client.log_batch(run_id, metrics=[Metric(_name(name), value, now, step) for name, value, step in values])
    client.set_tag(run_id, "mlflow.note.content", "\n\n".join(closing_lines(made, catalog.load)))
    for name in made:
        dataset = catalog.get(name)
        if is_versioned(dataset) and dataset.metadata["kedro-viz"]["layer"] == "reporting":
            file = file_of(catalog, name)
            client.log_artifact(run_id, str(file), "figures" if file.suffix == ".png" else None)


def _log_model(run_id: str, catalog: Any, registered_model: str) -> None:
    """Log the model with what belongs to it and the code that serves it."""
    import mlflow
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    from pneumonia.predictor import serving
    from pneumonia.predictor.predictor import RECORDS

    takes = Schema([ColSpec("binary", serving.IMAGE, required=False), ColSpec("string", serving.PATH, required=False)])
    answers = Schema([ColSpec(kind, name) for name, kind in serving.ANSWERS.items()])
    with TemporaryDirectory() as folder, mlflow.start_run(run_id=run_id), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*An input example was not provided")
        for name in ("pneumonia_model", *RECORDS):
            version = file_of(catalog, name).parent
            shutil.copytree(version, Path(folder, "model", *version.parts[-3:]))
        code = Path(folder, "pneumonia")
        shutil.copytree(Path(pneumonia.__file__).parent, code, ignore=shutil.ignore_patterns("__pycache__"))
        mlflow.pyfunc.log_model(
            name="model",
            loader_module=serving.__name__,
            data_path=str(Path(folder, "model")),
            code_paths=[str(code)],
            signature=ModelSignature(takes, answers),
            pip_requirements=list(_requirements()),
            registered_model_name=None if registered_model == "none" else registered_model,
        )


def list_values(record: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """Give the numbers of a record by path; an estimate by its name, its interval with `_low` and `_high`."""
    for name, value in record.items():
        if isinstance(value, dict) and "value" in value:
            interval = {f"{name}_{end}": value.get(end) for end in ("low", "high")}
            yield from list_values({name: value["value"], **interval}, prefix)
        elif isinstance(value, dict):
            yield from list_values(value, f"{prefix}{name}/")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield f"{prefix}{name}", float(value)


def list_curves(history: pd.DataFrame) -> Iterator[tuple[str, float, int]]:
    """Give each value that was measured in an epoch, with the epoch; of several members, by member."""
    by_member = history["member"].max() > 1
    for row in history.to_dict("records"):
        epoch, member = int(row.pop("epoch")), row.pop("member")
        for name, value in row.items():
            if not pd.isna(value):  # not every epoch is validated
                yield f"epochs/{f'member {member}/' if by_member else ''}{name}", float(value), epoch


def _requirements() -> Iterator[str]:
    """Pin what the package needs, and what reads DICOM where it is installed."""
    for line in metadata.requires("pneumonia") or ():
        name = re.split(r"[^\w.-]", line)[0]
        if "extra ==" not in line or ('"dicom"' in line and find_spec("pydicom")):
            yield f"{name}=={metadata.version(name)}"


def _name(text: str) -> str:
    return _OTHER_SIGNS.sub("_", text)


def _said(error: BaseException) -> str:
    """Return the first line of an error, without credentials."""
    lines = str(error).splitlines() or [type(error).__name__]
    return hide_credentials(lines[0])[:300]
