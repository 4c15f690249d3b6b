"""Which runs are in progress and what they read, so that nothing of it is removed meanwhile."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from kedro.framework.hooks import hook_impl
from kedro.pipeline import Pipeline

from pneumonia.base.errors import UserError, explain
from pneumonia.base.files import VERSION, find_entries, write_whole
from pneumonia.base.parameters import Parameters
from pneumonia.model.recipe import RecipeContract
from pneumonia.model.start import version_of
from pneumonia.runs.errors import plainly
from pneumonia.runs.pinning import PARENTS, is_versioned

FOLDER = ".runs"  # below the root of an environment
# What reads every version of a dataset, by the name of that dataset.
EVERY_VERSION = {
    "all_metrics": "metrics",
    "all_run_records": "run_record",
    "all_predictions": "predictions",
    "external_records": "external_metrics",
}
Versions = list[tuple[str, str]]  # names of datasets, with the version of each


class InProgressHook:
    """Notes what a run reads of earlier ones, for as long as it lasts.

    A note counts while the lock beside it is held, so that of a killed run counts no more.
    """

    def __init__(self) -> None:
        """Begin without a run."""
        self._root = Path()
        self._note: Path | None = None
        self._lock: FileLock | None = None

    @hook_impl
    def after_context_created(self, context: Any) -> None:
        """Note where the data of the environment are."""
        self._root = Path(context.project_path) / context.config_loader["globals"]["root"]

    @hook_impl
    @plainly
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: Any) -> None:
        """Write the note, once it is settled which versions are read.

        Raises:
            UserError: If it cannot be written.
        """
        self._end()  # of a run that was interrupted in this process, no hook hears the end
        note = self._root / FOLDER / f"{run_params['run_id']}.json"
        try:
            note.parent.mkdir(parents=True, exist_ok=True)
            self._lock = FileLock(note.with_suffix(".lock"), thread_local=False)
            self._lock.acquire(timeout=0)
        except OSError as error:
            raise UserError(f"Could not write to {explain(error, note.parent)}") from error
        self._note = note
        write_whole(note, json.dumps(_list_read(pipeline, catalog)).encode())

    @hook_impl(tryfirst=True)
    def after_pipeline_run(self) -> None:
        """Remove the note."""
        self._end()

    @hook_impl(tryfirst=True)  # one that raises keeps Kedro from calling the next
    def on_pipeline_error(self) -> None:
        """Remove the note."""
        self._end()

    def _end(self) -> None:
        if self._note is not None and self._lock is not None:
            _remove(self._note, self._lock)
        self._note = self._lock = None


def find_runs(root: Path) -> dict[str, Versions]:
    """Return what each run in progress reads, by the version that it makes; remove the notes of killed ones.

    Args:
        root: Of the data of an environment.
    """
    found: dict[str, Versions] = {}
    for note in find_entries(root / FOLDER, ".json"):
        lock = FileLock(note.with_suffix(".lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            if note.exists():  # else it has just ended
                found[note.stem] = [(name, version) for name, version in json.loads(note.read_bytes())]
        else:
            _remove(note, lock)
    return found


def _list_read(pipeline: Pipeline, catalog: Any) -> Versions:
    """List what is read of earlier runs, by the names under which it was made."""
    inputs = pipeline.inputs()
    stored = [name for name in sorted(inputs) if is_versioned(catalog.get(name)) and catalog.exists(name)]
    read = [(PARENTS.get(name, name), catalog.get(name).resolve_load_version()) for name in stored]
    for name, made_as in EVERY_VERSION.items():
        if name in inputs:
            read += [(made_as, version) for version in catalog.load(name) if VERSION.fullmatch(version)]
    started = map(version_of, _list_starts(stored, inputs, catalog))
    return read + [("pneumonia_model", version) for version in started if version]


def _list_starts(stored: Collection[str], inputs: Collection[str], catalog: Any) -> list[str]:
    """List `model.weights` of the trainings of a run: of a recipe that it makes, of one that was stored, of a study."""
    starts = []
    if not {"trained_models", "params:study"}.isdisjoint(inputs):
        parameters = Parameters.model_validate(catalog.load("parameters"))
        starts += [parameters.model.weights]
        if "params:study" in inputs:
            starts += [str(one.changes.get("model.weights", "none")) for one in parameters.study.recipes]
    if "training_recipe" in stored:
        starts += [RecipeContract().validate(catalog.load("training_recipe")).model.weights]
    return starts


def _remove(note: Path, lock: FileLock) -> None:
    note.unlink(missing_ok=True)
    lock.release()
    Path(lock.lock_file).unlink(missing_ok=True)
