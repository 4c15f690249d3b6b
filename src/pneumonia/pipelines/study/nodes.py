"""Nodes of the study pipeline."""

from typing import Any

import pandas as pd

from pneumonia.base.parameters import Parameters
from pneumonia.images.cache import IndexCache
from pneumonia.images.source import ImageSource
from pneumonia.pixels.store import PixelStores
from pneumonia.report import study as page
from pneumonia.study import run, summary
from pneumonia.study.records import StudyRecords


def run_study(
    split_manifest: pd.DataFrame,
    chest_xrays: ImageSource,
    index_cache: IndexCache,
    pixel_store: PixelStores,
    study_records: StudyRecords,
    parameters: dict[str, Any],
) -> pd.DataFrame:
    """Train every recipe with every seed on every fold, and evaluate each network; earlier results are kept.

    Returns:
        One row per training: recipe, seed, fold, and the judges' results.
    """
    given = Parameters.model_validate(parameters)
    external = run.find_external(given.study.external, split_manifest, index_cache, given)
    jobs = run.plan_jobs(split_manifest, chest_xrays, external, pixel_store, study_records, parameters)
    return run.run_study(jobs, given)


def summarise_study(study_results: pd.DataFrame) -> pd.DataFrame:
    """Give each recipe's mean, spread, and difference from the first with an interval."""
    return summary.summarise_study(study_results)


def write_study_report(**material: Any) -> str:
    """Write the page on a study."""
    return page.write_study_report(**material)
