"""The page on a study: each recipe's means, and which differences are detectable."""

from typing import Any

import pandas as pd

from pneumonia.base.annotations import Figure
from pneumonia.base.parameters import InputsParameters, ReportParameters
from pneumonia.base.study_parameters import StudyParameters
from pneumonia.pixels.store import PixelStores, pixel_keys
from pneumonia.report.gallery import webp_uri
from pneumonia.report.limits import say_training_images
from pneumonia.report.provenance import is_epoch_chosen
from pneumonia.report.render import render
from pneumonia.report.style import INK, SERIES, new_figure, row_axes
from pneumonia.report.words import Finding, Level, finding, say_interval, say_number
from pneumonia.study.judges import MEASURED, name_measure
from pneumonia.study.plan import Task
from pneumonia.study.summary import ALIKE, BASE, BETTER, TOO_FEW, WORSE

MOST_SHOWN = 24  # pictures of suspected labels
LEVELS = {BETTER: Level.GOOD, WORSE: Level.BAD}


def write_study_report(
    study_plan: list[Task],
    study_results: pd.DataFrame,
    study_summary: pd.DataFrame,
    parameters: StudyParameters,
    report: ReportParameters,
    **shown: Any,
) -> str:
    """Write the page: one self-contained HTML file.

    Args:
        study_plan: The trainings.
        study_results: One row per training.
        study_summary: One row per recipe and measure.
        parameters: Of the study.
        report: Where the images come from.
        **shown: `study_figure`, `run_context`, `suspected_labels`, `label_errors`, `suspect_gallery`.
    """
    compared = study_summary[study_summary["verdict"] != BASE]
    n_tested = int(compared["low"].notna().sum())
    return render(
        "study.html",
        study_results=study_results.drop(columns="device"),
        parameters=parameters,
        training_images=say_training_images(report),
        epochs=say_epochs(study_plan),
        **shown,
        base=study_summary["recipe"].iloc[0],
        means=tabulate_means(study_summary),
        differences=tabulate_differences(compared),
        sites=tabulate_sites(study_results),
        spread=_named(study_summary[["recipe", "measure", "n", "mean", "sd_seeds", "sd_folds"]]),
        findings=list_study_findings(compared),
        n_tested=n_tested,
        n_chance=0.05 * n_tested,
    )


def say_epochs(study_plan: list[Task]) -> str:
    """Say of which recipes the epoch was chosen on validation images; of sites, they are not those that judge.

    Where only the last epoch is validated there is none to choose; several members choose theirs on training images.
    """
    trainings = {task.recipe: task.parameters.training for task in study_plan}
    chosen = [name for name, one in trainings.items() if is_epoch_chosen(one.model_dump()) and one.members == 1]
    if not chosen:
        return "No epoch was chosen on validation images."
    is_each = len(chosen) == len(trainings)
    which = "Each training's epoch" if is_each else f"Of {' and '.join(chosen)}, each training's epoch"
    if study_plan[0].folds == "site":
        return f"{which} was chosen on validation images of the sites that it saw."
    return f"{which} was chosen on validation, so {'the' if is_each else 'their'} figures are optimistic."


def list_study_findings(compared: pd.DataFrame) -> list[Finding]:
    """Say for each recipe except the first where its interval excludes zero, or that it never does.

    Args:
        compared: Rows of `summarise_study`, without those of the first recipe.
    """
    findings = []
    for recipe, rows in compared.groupby("recipe", sort=False):
        told = rows[rows["verdict"].isin(LEVELS)]
        for verdict in (BETTER, WORSE):
            part = told[told["verdict"] == verdict]
            if len(part):
                title = f"{recipe} is {verdict} in {len(part)} of {len(rows)} measures"
                text = "; ".join(_say_row(row) for row in part.to_dict("records"))
                findings.append(finding(LEVELS[verdict], title, f"{text}."))
        if told.empty:
            title = f"{recipe} cannot be distinguished from the base"
            findings.append(finding(Level.CAUTION, title, _say_why(rows)))
    return findings


def _say_why(rows: pd.DataFrame) -> str:
    """Say why no measure tells two recipes apart."""
    if rows["low"].notna().any():
        return "No interval excludes zero."
    if (rows["verdict"] == TOO_FEW).all():
        return f"{TOO_FEW.capitalize()} for an interval."
    if (rows.loc[rows["verdict"] == ALIKE, "difference"] == 0).all():
        return "Every pair of trainings has the same results."
    return "All pairs of trainings differ by the same, so there is no interval."


def _say_row(row: dict[str, Any]) -> str:
    return f"{name_measure(row['measure'])} {row['difference']:+z.4f} ({say_interval(row, 4)})"


def tabulate_sites(study_results: pd.DataFrame) -> pd.DataFrame:
    """Return each recipe's mean AUC, sensitivity and specificity at each site that was left out; no rows without."""
    if "site" not in study_results:
        return pd.DataFrame()
    rates = [f"untouched_{rate}" for rate in ("auc", "sensitivity", "specificity")]
    means = study_results.groupby(["site", "recipe"], sort=False)[rates].mean().round(4).reset_index()
    return means.rename(columns={rate: rate.removeprefix("untouched_") for rate in rates})


def tabulate_means(study_summary: pd.DataFrame) -> pd.DataFrame:
    """Return one row per measure with each recipe's mean and standard deviation between seeds, and the cost on top."""
    recipes = dict(list(study_summary.groupby("recipe", sort=False)))
    rows = [
        {"measure": "Trainings", **{name: str(part["n"].iloc[0]) for name, part in recipes.items()}},
        {
            "measure": "CPU minutes per training",
            **{name: say_number(part["cpu_seconds"].iloc[0] / 60, 1) for name, part in recipes.items()},
        },
    ]
    for measure in dict.fromkeys(study_summary["measure"]):
        of_one = {name: part[part["measure"] == measure].iloc[0] for name, part in recipes.items()}
        rows.append({"measure": name_measure(measure), **{name: _say_mean(row) for name, row in of_one.items()}})
    return pd.DataFrame(rows)


def _say_mean(row: pd.Series) -> str:
    spread = "" if pd.isna(row["sd_seeds"]) else f" ± {say_number(row['sd_seeds'], 4)}"
    return f"{say_number(row['mean'], 4)}{spread}"


def tabulate_differences(compared: pd.DataFrame) -> pd.DataFrame:
    """Return one row per recipe and measure: difference, interval and verdict in words."""
    intervals = [say_interval(row, 4) for row in compared.to_dict("records")]
    table = _named(compared[["recipe", "measure", "difference", "verdict"]])
    table["difference"] = ["–" if pd.isna(value) else f"{value:+z.4f}" for value in compared["difference"]]
    table.insert(3, "95% interval", intervals)
    return table


def _named(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(measure=table["measure"].map(name_measure)).reset_index(drop=True)


def draw_suspects(
    suspected_labels: pd.DataFrame, split_manifest: pd.DataFrame, pixel_store: PixelStores, inputs: InputsParameters
) -> list[dict[str, Any]]:
    """Return the records of the most suspected images, as far as their pixels are stored, each with its picture."""
    store = pixel_store.open(inputs.image_size, inputs.resize)
    columns = [name for name in ("sha256", "bits") if name in split_manifest]
    rows = suspected_labels.head(MOST_SHOWN).merge(split_manifest[columns], on="sha256")
    keys = pixel_keys(rows)
    rows, keys = rows[store.has(keys)], keys[store.has(keys)]
    if rows.empty:
        return []
    pictures = store.read(store.rows(keys))[..., 0]
    return [row | {"image": webp_uri(picture)} for row, picture in zip(rows.to_dict("records"), pictures, strict=True)]


def draw_study(study_results: pd.DataFrame) -> Figure:
    """Draw every training as a dot, and each recipe's mean as a line, for the first measure of each judge."""

    kinds = {kind: rates[:2] for kind, rates in MEASURED.items() if f"{kind}_auc" in study_results.columns}
    recipes = list(dict.fromkeys(study_results["recipe"]))
    figure, panels = new_figure(9.2, 0.6 + (0.5 + 0.28 * len(recipes)) * len(kinds), len(kinds), 2, squeeze=False)
    for row, (kind, rates) in zip(panels, kinds.items(), strict=True):
        for axes, rate in zip(row, rates, strict=False):
            for position, recipe in enumerate(recipes):
                values = study_results.loc[study_results["recipe"] == recipe, f"{kind}_{rate}"]
                colour, at = SERIES[position % len(SERIES)], [position] * len(values)
                axes.plot(values, at, "o", color=colour, alpha=0.7, clip_on=False)
                axes.plot([values.mean()] * 2, [position - 0.32, position + 0.32], color=INK, linewidth=1.6)
            low, high = axes.get_xlim()
            axes.set_xlim(max(low, 0), min(high, 1))  # no rate lies beyond
            row_axes(axes, recipes if rate == "auc" else [""] * len(recipes))
            axes.set_title(name_measure(f"{kind}_{rate}"), fontsize=9.5)
        for axes in row[len(rates) :]:
            axes.set_axis_off()
    return figure
