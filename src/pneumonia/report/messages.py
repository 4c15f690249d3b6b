"""What a run says at its end: what it found, the result, points against it, and the path of the report."""

import math
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, cast

import pandas as pd

from pneumonia.adaptation.measure import AdaptationMetrics
from pneumonia.images.layout import SPLITS
from pneumonia.metrics.summary import MainMetric, SplitMetrics
from pneumonia.model.lineage import Lineage
from pneumonia.report.adaptation import list_adaptation_findings
from pneumonia.report.comparison import say_comparison
from pneumonia.report.external import ExternalFindingsMaterial, list_external_findings
from pneumonia.report.findings import list_findings
from pneumonia.report.limits import say_scorings
from pneumonia.report.material import FindingsMaterial
from pneumonia.report.predictions import count_outcomes
from pneumonia.report.provenance import is_epoch_chosen
from pneumonia.report.study import list_study_findings
from pneumonia.report.words import Finding, Level, say_count, say_estimate, say_number, say_percent
from pneumonia.split.summary import FlowStep
from pneumonia.study.summary import BASE

# What a person opens after a run, and what it is called.
PAGES = {
    "report": "Report",
    "prediction_report": "Report",
    "external_report": "Report",
    "adaptation_report": "Report",
    "exported_model": "Exported model",
    "run_comparison_report": "Comparison",
    "study_report": "Report",
}
RESULTS: tuple[MainMetric, ...] = ("auc", "sensitivity", "specificity")

MOST_ROUNDING = 1e-9  # of a quotient

Load = Callable[[str], Any]


def closing_lines(made: Collection[str], load: Load) -> list[str]:
    """Return what a run says at its end.

    Args:
        made: Names of the datasets that the run made.
        load: Loads one of them, or another of the same environment.

    Returns:
        Lines of one sentence each. None if the run made nothing that a person waits for.
    """
    lines: list[str] = []
    if "data_flow" in made:
        lines.append(say_files(load("data_flow")))
    if "split_manifest" in made:
        lines.append(say_split(load("split_manifest")))
    if "class_weights" in made:
        weights = ", ".join(f"{label} {weight:.2f}" for label, weight in load("class_weights").items())
        lines.append(f"Class weights: {weights}.")
    if "training_history" in made:
        lines.append(say_training(load("training_history"), load("model_lineage")))
    if "metrics" in made:
        lines.append(say_metrics("Test", load("metrics")["test"]))
    if "run_record" in made:
        lines.append(say_scorings(load("run_record")))
    if "report" in made:
        material = {name: load(name) for name in FindingsMaterial.__annotations__}
        lines += say_against(list_findings(cast(FindingsMaterial, material), *load("model_lineage")["class_names"]))
    if "new_predictions" in made:
        lines.append(say_predictions(load("new_predictions"), load("model_lineage")["class_names"]))
    if "external_report" in made:
        material = {name: load(name) for name in ExternalFindingsMaterial.__annotations__}
        lines += say_external(cast(ExternalFindingsMaterial, material), load("model_lineage"))
    if "adaptation_report" in made:
        lines += say_adaptation(load("adaptation_metrics"), load("adaptation_shortcuts"), load("model_lineage"))
    if "export_parity" in made:
        lines.append(say_export(load("export_parity")))
    if "study_summary" in made:
        lines += say_study(load("study_summary"))
    if "run_comparison" in made:
        lines += say_comparison(load("run_comparison"))
    return lines


def say_files(data_flow: pd.DataFrame) -> str:
    """Account for the image files in one sentence."""
    counts = data_flow.drop_duplicates("step").set_index("step")["images"]
    others = {
        "other objects": counts.get(FlowStep.OTHER_OBJECT, 0),
        "left out by the table of labels": counts.get(FlowStep.UNLABELLED, 0),
        "left out because their group is in test": counts.get(FlowStep.TEST_GROUP, 0),
    }
    left_out = "".join(f"{count:,} {why}, " for why, count in others.items() if count)
    return (
        f"Images: {say_count(counts[FlowStep.FOUND], 'file')} found, "
        f"{say_count(counts[FlowStep.DUPLICATE], 'surplus copy', 'surplus copies')}, "
        f"{counts[FlowStep.REJECTED]:,} rejected, {left_out}{counts[FlowStep.USED]:,} used."
    )


def say_split(split_manifest: pd.DataFrame) -> str:
    """Count images and groups of each split, and the groups that are in more than one.

    Where every image is its own group, nothing is said of patients: the leak audit counts those that file names tell.
    """
    parts = [
        f"{split} {len(rows):,} images of {rows['group'].nunique():,} groups"
        for split, rows in sorted(split_manifest.groupby("split"), key=lambda part: SPLITS.index(str(part[0])))
    ]
    if (split_manifest["group"] == split_manifest["path"]).all():
        images = ", ".join(part.partition(" of ")[0] for part in parts)
        return f"Split: {images}, image by image; whether patients are on both sides is in the leak audit."
    shared = int(split_manifest.drop_duplicates(["group", "split"])["group"].duplicated().sum())
    return f"Split: {', '.join(parts)}; groups on both sides: {shared:,}."


def say_training(history: pd.DataFrame, lineage: Lineage) -> str:
    """Name the epochs that were run and kept, with the AUC that chose them; of an adaptation, no image chose one."""
    if "adaptation" in lineage:
        return f"Adaptation: {say_count(history['epoch'].max(), 'epoch')}, of which the last was kept."
    kept = history[history["kept"] == 1]
    epochs = ", ".join(str(epoch) for epoch in kept["epoch"])
    aucs = ", ".join(say_number(value) for value in kept["val_auc"])
    run = say_count(history["epoch"].max(), "epoch")
    judged, them = ("validation AUC of that epoch", "it")
    if len(kept) > 1:
        judged, them = ("AUC of those epochs, each on its member's own fold of train", "them")
    use = f" (optimistic: used to choose {them})" if is_epoch_chosen(lineage["training"]) else ""
    return f"Training: {run}, kept {epochs}; {judged}, without averaging over views, {aucs}{use}."


def say_metrics(images: str, record: SplitMetrics) -> str:
    """Put the main metrics of some images in a sentence, each with its 95% interval."""
    results = ", ".join(f"{name.upper() if name == 'auc' else name} {say_estimate(record[name])}" for name in RESULTS)
    return f"{images}: {results}; {record['n']:,} images of {record['n_groups']:,} groups, 95% intervals."


def say_against(findings: list[Finding]) -> list[str]:
    """List points against a result, the gravest first."""
    against = [finding for finding in findings if finding["level"] != Level.GOOD]
    return [f"Against the result: {_sentence(finding['title'])} {finding['text']}" for finding in against]


def _sentence(title: str) -> str:
    return title if title.endswith("?") else f"{title}."


def say_predictions(predictions: pd.DataFrame, class_names: list[str]) -> str:
    """Count the outcomes for new images."""
    counts = count_outcomes(predictions, class_names)
    called = ", ".join(f"{counts[name]:,} called {name}" for name in reversed(class_names))
    return (
        f"New images: {counts['all']:,}; {called}, {counts['out of range']:,} out of range (no decision), "
        f"{counts['not usable']:,} unusable. Research software, not a medical device."
    )


def say_external(material: ExternalFindingsMaterial, lineage: Lineage) -> list[str]:
    """Put the external result in a sentence, with points against it."""
    external_metrics = material["external_metrics"]
    findings = list_external_findings(material, lineage["class_names"][1])
    outside = f"{say_percent(external_metrics['out_of_range'])} of the images are out of range."
    return [f"{say_metrics('Elsewhere', external_metrics['external'])} {outside}", *say_against(findings)]


def say_adaptation(adaptation_metrics: AdaptationMetrics, shortcuts: pd.DataFrame, lineage: Lineage) -> list[str]:
    """Say what an adaptation changed, with points against it."""
    lines = []
    for title, record in (("New place", adaptation_metrics["new"]), ("Own test", adaptation_metrics["own"])):
        if record is not None:
            before, after = record["before"]["auc"]["value"], record["after"]["auc"]["value"]
            change = record["difference"]["auc"]
            lines.append(
                f"{title}: AUC {say_number(before)} before, {say_number(after)} after; change "
                f"{say_estimate(change, kind='paired')}; {record['after']['n']:,} images of "
                f"{record['after']['n_groups']:,} groups."
            )
    return [*lines, *say_against(list_adaptation_findings(adaptation_metrics, shortcuts, lineage))]


def say_export(export_parity: Mapping[str, Any]) -> str:
    """Say how far exported files are from the Keras model."""
    if failures := export_parity["failures"]:
        return f"Export: the files do not match the Keras model: {'; '.join(failures)}."
    records = [record for by_batch in export_parity["formats"].values() for record in by_batch.values()]
    largest = max(record["largest_difference"] for record in records)
    n = max(record["n"] for record in records)
    return (
        f"Export: probabilities differ from Keras by at most {_round_up(largest):.0e} on {n:,} validation and test "
        "images, and no decision changes."
    )


def _round_up(value: float) -> float:
    """Return the next number of one digit that is not smaller: a bound that is rounded down is none."""
    unit = 10.0 ** math.floor(math.log10(value)) if value else 1.0
    return math.ceil(value / unit - MOST_ROUNDING) * unit


def say_study(study_summary: pd.DataFrame) -> list[str]:
    """Say for each recipe of a study except the first where it differs detectably from the first."""
    base, compared = study_summary["recipe"].iloc[0], study_summary[study_summary["verdict"] != BASE]
    findings = list_study_findings(compared)
    return [f"Study, compared with {base}: {one['title']}. {one['text']}" for one in findings]


def say_page(path: Path, name: str = "Report") -> str:
    """Name a page or folder in a form that a terminal makes clickable."""
    return f"{name}: {path.resolve().as_uri()}"
