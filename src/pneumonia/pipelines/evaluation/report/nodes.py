"""Nodes that document the run: its record, the report, the model card."""

from typing import Any

import pandas as pd

from pneumonia.report import documents, record


def record_run(
    run_context: dict[str, Any],
    parameters: dict[str, Any],
    split_manifest: pd.DataFrame,
    model_lineage: dict[str, Any],
    earlier_run_records: dict[str, Any],
) -> dict[str, Any]:
    """Record everything that another person needs to reproduce the figures."""
    return record.record_run(run_context, parameters, split_manifest, model_lineage, earlier_run_records)


def write_report(**material: Any) -> str:
    """Write the report: one self-contained HTML page."""
    return documents.write_report(**material)


def write_model_card(**material: Any) -> str:
    """Write the model card: Markdown with the front matter that Hugging Face reads."""
    return documents.write_model_card(**material)
