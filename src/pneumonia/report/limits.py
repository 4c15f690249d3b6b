"""What the figures of a run do not show. Each sentence follows from the records by a rule written beside it."""

import pandas as pd

from pneumonia.base.parameters import ReportParameters
from pneumonia.metrics.summary import SplitMetrics
from pneumonia.model.networks import MODEL_SUFFIX
from pneumonia.report.material import ReportTables
from pneumonia.report.provenance import ImageOrigin, count_of, ingest_of, is_epoch_chosen, say_population, source_of
from pneumonia.report.record import RunRecord
from pneumonia.report.words import is_or_are, say_count, say_percent
from pneumonia.split.summary import FlowStep

DEMO_NOTE = (
    "The images of this run are synthetic: drawn by this project's generator, not taken of patients. Its figures show "
    "that the software works; they say nothing about radiographs."
)
SYNTHETIC_TRAINING = (
    "The training images are synthetic: drawn by this project's generator, not taken of patients. What is shown here "
    "says nothing about radiographs."
)
NOT_COUNTED = (
    "Not counted: scoring outside of runs (from Python, by an exported model), on other machines, and of copies of the "
    "images with other bytes."
)
TRAITS = ("sex", "age")  # by which a result is called fair or unfair, as far as they are known
FEW_POSITIVE = 0.2  # up to this share of positives, lower shares are not mentioned


def list_limits(material: ReportTables) -> list[str]:
    """List what these figures do not show, the gravest first.

    Args:
        material: The tables and records of the report: of them, `run_record`, `metrics`, `data_flow`, `patient_strata`,
            `patient_differences`.
    """
    run_record, metrics, data_flow = material["run_record"], material["metrics"], material["data_flow"]
    limits = [
        "Research software, not a medical device. No decision about a patient may rest on it.",
        *_of_source(run_record),
        *_of_groups(run_record, data_flow),
        _of_start(run_record),
        f"{say_scorings(run_record)} {NOT_COUNTED}",
        say_optimism(run_record),
        _of_prevalence(metrics["test"]),
        "The source's labels are the reference standard, taken as they are. How many are wrong was not measured; a "
        "second reading should begin with the confident errors in the report's gallery.",
        say_fairness(material["patient_strata"], material["patient_differences"]),
    ]
    return [limit for limit in limits if limit]


def say_training_images(report: ReportParameters) -> str:
    """Say of a page on other images that the model was trained on images that were drawn; nothing if it was not."""
    return SYNTHETIC_TRAINING if report.source == ImageOrigin.SYNTHETIC else ""


def say_fairness(patient_strata: pd.DataFrame, patient_differences: pd.DataFrame) -> str:
    """Say by which traits of patients the result was compared: only those that the source tells."""
    known, compared = (set(table["attribute"]) & set(TRAITS) for table in (patient_strata, patient_differences))
    if not known:
        return "Sex and age were not examined, so nothing is known about fairness."
    words = []
    if unknown := [trait for trait in TRAITS if trait not in known]:
        words.append(f"{unknown[0].capitalize()} was not examined.")
    if small := [trait for trait in TRAITS if trait in known - compared]:
        named = " and ".join(small)
        words.append(f"{named.capitalize()} {is_or_are(len(small))} known, but with parts too small to compare.")
    if told := [trait for trait in TRAITS if trait in compared]:
        were = "were" if len(told) > 1 else "was"
        words.append(f"Of what may make a result unfair, only {' and '.join(told)} {were} looked at.")
    return " ".join(words)


def _of_source(run_record: RunRecord) -> list[str]:
    source = source_of(run_record)
    if source is ImageOrigin.SYNTHETIC:
        return [DEMO_NOTE]
    spectrum = (
        "The two classes may have been collected separately (case-control). Without the doubtful cases between them, "
        "sensitivity and specificity are higher than in consecutive patients (Lijmer et al., JAMA 1999)."
    )
    if source is ImageOrigin.KERMANY:
        return [
            "The images of all splits come from one hospital (children aged 1 to 5, antero-posterior views). The AUC "
            "of a network of this kind fell from 0.95 on these images to 0.54 on children of another hospital (Xin, Li "
            "and Yi, Emergency Radiology 2022). No figure here comes from a test elsewhere.",
            spectrum,
        ]
    return [f"{say_population(run_record)} Nothing is known about images from other sources.", spectrum]


def _of_groups(run_record: RunRecord, data_flow: pd.DataFrame) -> list[str]:
    if source_of(run_record) is ImageOrigin.SYNTHETIC:
        return []
    if ingest_of(run_record)["group_by"] == "image":
        return [
            "Images were split individually. If patients have several images, every interval here is too narrow, and "
            "where some of a patient's images are in train, the figures on the others are too optimistic."
        ]
    alone = count_of(data_flow, FlowStep.UNGROUPED)
    if alone:
        return [
            f"No group could be read for {say_count(alone, 'image')}: each counts as a separate patient. If patients "
            "have several images, some may be in two splits, and the figures on these are too optimistic."
        ]
    return ["Groups stand for patients, but nobody has proven that they are."]


def _of_start(run_record: RunRecord) -> str:
    weights = str(run_record["model"]["model"]["weights"])
    if not weights.endswith(MODEL_SUFFIX):
        return ""
    start = run_record["model"].get("start", {"parent": weights})["parent"]
    return (
        f"The training started from another model ({start}). Whether that one had seen patients who are now in "
        "validation or test was not checked; if it had, every figure here is too optimistic."
    )


def say_scorings(run_record: RunRecord) -> str:
    """Say how often these test images were scored, by the ledger of this project."""
    times = run_record["data"]["test_scorings"]
    if isinstance(times, int):  # of an earlier release, which counted only whole evaluations of one environment
        times = {"most": times, "median": times}
    if times["most"] <= 1:
        return "The ledger of this project knows of no earlier run that scored any of these test images."
    return (
        f"A model scored these test images in up to {times['most']:,} runs (median {times['median']:,.6g}), this one "
        "included. If a model is chosen by such figures, they become optimistic."
    )


def _of_prevalence(test: SplitMetrics) -> str:
    share, cells = test["n_positive"] / test["n"], test["confusion"]
    if share <= FEW_POSITIVE:
        return f"{say_percent(share, 0)} of the test images are positive; precision and NPV hold only at that share."
    if not cells["tp"] or not cells["tn"]:
        return (
            f"{say_percent(share, 0)} of the test images are positive; a table gives precision and NPV at other shares."
        )
    # At a rate of 1 a predictive value is 1 at every share.
    lower = "precision is lower" if cells["fp"] else "precision is lower, unless no negative is ever called positive"
    higher = "NPV is higher" if cells["fn"] else "NPV is no lower"
    return (
        f"{say_percent(share, 0)} of the test images are positive. At lower shares, {higher} and {lower}: a table "
        "gives both for other shares."
    )


def say_optimism(run_record: RunRecord) -> str:
    """Say what was chosen on the validation images, which makes the figures on them optimistic.

    With several members, the epoch was chosen elsewhere, and where only the last is validated, not at all; an adapted
    model's lineage does not tell how its parent was validated. A threshold that was set beforehand was not chosen.
    """
    evaluation, training = run_record["parameters"]["evaluation"], run_record["model"]["training"]
    is_adapted = "adaptation" in run_record["model"]
    epoch = "the epoch of the training before the adaptation" if is_adapted else "the epoch"
    chosen = {
        epoch: (is_adapted or is_epoch_chosen(training)) and training.get("members", 1) == 1,
        "the calibration": evaluation["calibration"] != "none",
        "the threshold": evaluation["threshold_rule"] != "fixed",
    }
    names = [name for name, was_chosen in chosen.items() if was_chosen]
    if not names:
        return "Of the model only the bound of its range was set on the validation images."
    *others, last = names
    named = f"{', '.join(others)} and {last} were" if others else f"{last} was"
    return f"Validation figures are optimistic: {named} chosen on those images."
