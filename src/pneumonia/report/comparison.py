"""The page on all evaluated models: which, judged on what, how well, and how they were made."""

from typing import Any

import pandas as pd

from pneumonia.base.environment import RunContext
from pneumonia.metrics.registry import from_columns
from pneumonia.report.render import render
from pneumonia.report.words import say_estimate

TITLES = {"val_auc": "AUC, validation", "test_auc": "AUC, test", "test_accuracy": "accuracy, test"}
TITLES |= {"test_sensitivity": "sensitivity, test", "test_specificity": "specificity, test"}


def write_comparison_report(run_comparison: pd.DataFrame, run_comparison_figure: bytes, run_context: RunContext) -> str:
    """Write the page: one self-contained HTML file."""
    return render(
        "comparison.html",
        models=tabulate_models(run_comparison),
        making=run_comparison[["model", "environment", "network", "epochs", "commit", "differs"]],
        run_comparison=run_comparison,
        run_comparison_figure=run_comparison_figure,
        run_context=run_context,
    )


def tabulate_models(run_comparison: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with each metric and its interval in one cell."""
    shown = run_comparison[["rank", "model", "environment", "network", "val_images", "test_images"]]
    metrics = {title: [_say(row, name) for row in run_comparison.to_dict("records")] for name, title in TITLES.items()}
    return shown.assign(**metrics).rename(columns={"val_images": "validation set", "test_images": "test set"})


def say_comparison(run_comparison: pd.DataFrame) -> list[str]:
    """Put each model in a line, the newest evaluation first."""
    return [
        f"{row['network']} {row['model']} (environment: {row['environment']}): validation AUC {_say(row, 'val_auc')}, "
        f"rank {row['rank']} on validation set {row['val_images']}; test AUC {_say(row, 'test_auc')} on test set "
        f"{row['test_images']}."
        for row in run_comparison.to_dict("records")
    ]


def _say(row: dict[Any, Any], name: str) -> str:
    return say_estimate(from_columns(row, name))
