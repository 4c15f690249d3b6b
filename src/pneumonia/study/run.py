"""Plans the trainings of a study and has them done, one result after the other."""

import logging
from collections.abc import Callable
from functools import cache
from typing import Any, TypedDict, Unpack

import pandas as pd

from pneumonia.audits.external import index_external
from pneumonia.base.engine import run_all
from pneumonia.base.environment import describe_environment
from pneumonia.base.errors import UserError
from pneumonia.base.parameters import ExternalParameters, IngestParameters, LabelsParameters
from pneumonia.base.progress import follow
from pneumonia.base.study_parameters import NONE, EngineParameters, StudyParameters
from pneumonia.images.cache import IndexCache
from pneumonia.images.sites import SITE
from pneumonia.images.source import ImageSource
from pneumonia.images.status import OK
from pneumonia.pixels.store import PixelStores
from pneumonia.split.folds import fold_of_manifest, leave_out
from pneumonia.study.plan import Task
from pneumonia.study.summary import SCORE_COLUMNS
from pneumonia.study.task import Images, Job, StudyRecords, run_task

logger = logging.getLogger(__name__)

Run = Callable[[Job], dict[str, Any]]


class Places(TypedDict):
    """Where a study reads images and keeps pixels and results, as the catalog names them."""

    chest_xrays: ImageSource
    pixel_store: PixelStores
    study_records: StudyRecords


def find_external(
    split_manifest: pd.DataFrame,
    index_cache: IndexCache,
    study: StudyParameters,
    ingest: IngestParameters,
    labels: LabelsParameters,
    external: ExternalParameters,
) -> pd.DataFrame:
    """List the usable labelled images of another place, on which the models are judged as well.

    Returns:
        path, sha256, bits and target; no rows where `study.external` names no place.

    Raises:
        UserError: If there are none, or one of them is an image of the manifest.
    """
    if study.external == NONE:
        return pd.DataFrame(columns=["path", "sha256", "bits", "target"])
    index = index_external(ImageSource(study.external), index_cache, ingest, labels, external)
    rows = index[index["status"] == OK]
    shared = rows[rows["sha256"].isin(split_manifest["sha256"])]
    if len(shared):
        raise UserError(
            f"{len(shared):,} images of study.external are images of the manifest, the first {shared['path'].iloc[0]}. "
            "They are not another place's: name other images."
        )
    target = (rows["label"] == ingest.positive_class).astype(int)
    return rows[["path", "sha256", "bits"]].assign(target=target).reset_index(drop=True)


def run_study(
    study_plan: list[Task],
    split_manifest: pd.DataFrame,
    study_external: pd.DataFrame,
    ingest: IngestParameters,
    engine: EngineParameters,
    **places: Unpack[Places],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Train every recipe with every seed on every fold, and evaluate each network; earlier results are kept.

    Args:
        study_plan: The trainings.
        split_manifest: One row per image.
        study_external: Images of another place.
        ingest: The seed of the folds.
        engine: Where the trainings are done.
        places: Where images, pixels and results are.

    Returns:
        One row per training: recipe, seed, fold, and the judges' results. And one row per training and image that it
        held out, with the columns `labels.SCORE_COLUMNS`.

    Raises:
        UserError: As a training does, or if interrupted. What was finished is kept.
    """
    table = run_jobs(plan_jobs(study_plan, split_manifest, study_external, ingest, **places), engine)
    scores = [
        (row["recipe"], row["seed"], row["fold"], sha256, probability)
        for row in table.to_dict("records")
        for sha256, probability in row["held_out"].items()
    ]
    return table.drop(columns="held_out"), pd.DataFrame(scores, columns=SCORE_COLUMNS)


def plan_jobs(
    study_plan: list[Task],
    split_manifest: pd.DataFrame,
    study_external: pd.DataFrame,
    ingest: IngestParameters,
    **places: Unpack[Places],
) -> list[Job]:
    """Put together what each training of a study needs, and refuse a study of which one cannot work.

    Raises:
        UserError: Naming the recipe, or the parameter.
    """

    sites = sorted(set(split_manifest[SITE])) if SITE in split_manifest else []
    tasks = [of_site for task in study_plan for of_site in task.of_sites(sites)]

    @cache
    def fold(number: int, folds: int | str, site: str) -> pd.DataFrame:
        if folds == "site":
            return leave_out(split_manifest, site)
        return fold_of_manifest(split_manifest, folds, number, ingest.seed)

    external = Images(ImageSource(study_plan[0].external), study_external) if len(study_external) else None
    rest = places["chest_xrays"], external, places["pixel_store"], places["study_records"], describe_environment()
    jobs = [Job(task, fold(task.fold, task.folds, task.site), *rest) for task in tasks]
    for job in jobs:
        try:
            job.recipe  # noqa: B018 - a recipe that cannot work raises here
        except UserError as error:
            raise UserError(f"Recipe {job.task.recipe!r}: {error.message}") from error
    return jobs


def run_jobs(jobs: list[Job], engine: EngineParameters, run: Run = run_task) -> pd.DataFrame:
    """Do the trainings that are not done yet.

    Args:
        jobs: As `plan_jobs` gives them.
        engine: Where.
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
        with follow(len(left), "Training networks", "trainings", alone=False) as advance:
            for number, row in run_all(run, [jobs[number] for number in left], engine):
                job = jobs[left[number]]
                job.records.save(job.key, row)  # a worker may have kept it on a disk of its own
                rows[left[number]] = row
                told = len(rows), len(jobs), job.task, job.task.measured, row["untouched_auc"], row["seconds"]
                logger.info("%d of %d: %s: %s %.4f (%.0f s).", *told)
                advance(1)
    except KeyboardInterrupt as interrupt:
        raise UserError(
            f"Interrupted: {len(rows)} of {len(jobs)} trainings are done and kept. The same command resumes."
        ) from interrupt
    except UserError as error:
        raise UserError(f"{error.message} {len(rows)} of {len(jobs)} trainings are done and kept.") from error
    return pd.DataFrame([rows[number] for number in range(len(jobs))])
