"""Plans the trainings of a study and has them done, one result after the other."""

import logging
from collections.abc import Callable
from functools import cache
from typing import Any

import pandas as pd

from pneumonia.audits.external import index_external
from pneumonia.base.engine import run_all
from pneumonia.base.environment import describe_environment
from pneumonia.base.errors import UserError
from pneumonia.base.parameters import Parameters
from pneumonia.base.study_parameters import NONE
from pneumonia.images.cache import IndexCache
from pneumonia.images.source import ImageSource
from pneumonia.images.status import OK
from pneumonia.pixels.store import PixelStores
from pneumonia.split.folds import fold_of_manifest
from pneumonia.study.plan import plan_tasks
from pneumonia.study.records import StudyRecords
from pneumonia.study.task import Images, Job, run_task

logger = logging.getLogger(__name__)

Run = Callable[[Job], dict[str, Any]]


def plan_jobs(
    split_manifest: pd.DataFrame,
    source: ImageSource,
    external: Images | None,
    stores: PixelStores,
    records: StudyRecords,
    parameters: dict[str, Any],
) -> list[Job]:
    """Put together what each training of a study needs, and refuse a study of which one cannot work.

    Args:
        split_manifest: One row per image.
        source: Where its images are.
        external: Images of another place, to judge on.
        stores: Where pixels are kept.
        records: Where results are kept.
        parameters: All of them.

    Raises:
        UserError: Naming the recipe, or the parameter.
    """
    given = Parameters.model_validate(parameters)

    @cache
    def fold(number: int) -> pd.DataFrame:
        return fold_of_manifest(split_manifest, given.study.folds, number, given.ingest.seed)

    environment = describe_environment()
    tasks = plan_tasks(parameters)
    jobs = [Job(task, fold(task.fold), source, external, stores, records, environment) for task in tasks]
    for job in jobs:
        try:
            job.recipe  # noqa: B018 - a recipe that cannot work raises here
        except UserError as error:
            raise UserError(f"Recipe {job.task.recipe!r}: {error.message}") from error
    return jobs


def find_external(
    address: str, split_manifest: pd.DataFrame, cache: IndexCache, parameters: Parameters
) -> Images | None:
    """List the usable labelled images of another place; None where none is named.

    Raises:
        UserError: If there are none, or one of them is an image of the manifest.
    """
    if address == NONE:
        return None
    source = ImageSource(address)
    index = index_external(source, cache, parameters.ingest, parameters.labels, parameters.external)
    rows = index[index["status"] == OK]
    shared = rows[rows["sha256"].isin(split_manifest["sha256"])]
    if len(shared):
        raise UserError(
            f"{len(shared):,} images of study.external are images of the manifest, the first {shared['path'].iloc[0]}. "
            "They are not another place's: name other images."
        )
    target = (rows["label"] == parameters.ingest.positive_class).astype(int)
    return Images(source, rows[["path", "sha256", "bits"]].assign(target=target).reset_index(drop=True))


def run_study(jobs: list[Job], parameters: Parameters, run: Run = run_task) -> pd.DataFrame:
    """Do the trainings that are not done yet.

    Args:
        jobs: As `plan_jobs` gives them.
        parameters: `engine`: where.
        run: Does one job.

    Returns:
        The rows of `run_task`, in the order of the jobs.

    Raises:
        UserError: As a training does, or if interrupted. What was finished is kept.
    """
    kept = {number: row for number, job in enumerate(jobs) if (row := job.records.find(job.key)) is not None}
    left = [number for number in range(len(jobs)) if number not in kept]
    logger.info("Study: %d trainings, %d of them done before.", len(jobs), len(kept))
    rows = {number: row | jobs[number].task.label for number, row in kept.items()}  # a recipe may have another name now
    try:
        for number, row in run_all(run, [jobs[number] for number in left], parameters.engine):
            job = jobs[left[number]]
            job.records.save(job.key, row)  # a worker may have kept it on a disk of its own
            rows[left[number]] = row
            logger.info("%d of %d: %s: validation AUC %.4f (%.0f s).", len(rows), len(jobs), job.task, *_shown(row))
    except KeyboardInterrupt as interrupt:
        raise UserError(
            f"Interrupted: {len(rows)} of {len(jobs)} trainings are done and kept. The same command resumes."
        ) from interrupt
    except UserError as error:
        raise UserError(f"{error.message} {len(rows)} of {len(jobs)} trainings are done and kept.") from error
    return pd.DataFrame([rows[number] for number in range(len(jobs))])


def _shown(row: dict[str, Any]) -> tuple[float, float]:
    return row["untouched_auc"], row["seconds"]
