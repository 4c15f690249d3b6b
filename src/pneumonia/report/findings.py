"""What the report says in words: the verdict, what speaks for and against it, the limits.

Each sentence follows from the tables by a rule that stands beside it, so that a run cannot be praised by hand.
"""

import base64
from collections.abc import Mapping
from typing import Any, Literal

import pandas as pd

from pneumonia.audits.regions import View
from pneumonia.audits.shortcuts import PREDICTOR_LABELS, Predictor, Sample
from pneumonia.split.leak_audit import SPLIT_LABELS, SplitBy
from pneumonia.split.summary import FlowStep

PUBLISHED_TEST = (234, 390)  # NORMAL and PNEUMONIA images in the test folder as published
DEMO = "demo"
Level = Literal["good", "caution", "bad"]

LARGE_GAP = 0.02  # of AUC, between validation and test
GOOD_CALIBRATION = 0.05  # expected calibration error
LARGE_LOSS = 0.05  # of AUC, under medium damage
TELLING_REGION = 0.7  # AUC from the rim of the image alone
WIDE_INTERVAL = 0.06  # of AUC
CHANCE = 0.5  # AUC
POOR_THRESHOLD = 0.05  # of balanced accuracy on validation, below what the best threshold has there

ATTRIBUTION = (
    "Images: Kermany D, Zhang K, Goldbaum M (2018), Labeled Optical Coherence Tomography (OCT) and Chest X-Ray "
    "Images for Classification, Mendeley Data V2, doi:10.17632/rscbjbr9sj.2, licence CC BY 4.0; described in "
    "Kermany et al., Cell 172 (2018), doi:10.1016/j.cell.2018.02.010. Shown here resized, some with a map laid "
    "over them."
)
DEMO_NOTE = (
    "The images of this run are synthetic: drawn by this project's generator, no patient's. Its figures show that "
    "the chain works; they say nothing about radiographs of children."
)


def say_percent(share: float | None, digits: int = 1) -> str:
    """Put a share in percent; a dash where it is undefined."""
    return "–" if share is None or pd.isna(share) else f"{100 * share:.{digits}f}%"


def say_number(value: Any, digits: int = 3) -> str:
    """Put a number with a fixed count of digits; a dash where it is undefined."""
    return "–" if value is None or pd.isna(value) else f"{value:.{digits}f}"


def say_interval(estimate: Mapping[str, Any], digits: int = 3) -> str:
    """Put the bounds of an estimate; words where there are none."""
    if estimate["low"] is None or pd.isna(estimate["low"]):
        return "no interval"
    if estimate["high"] is None or pd.isna(estimate["high"]):
        return f"at least {estimate['low']:.{digits}f}"
    return f"{estimate['low']:.{digits}f} to {estimate['high']:.{digits}f}"


def name_images(run_record: Mapping[str, Any]) -> Literal["demo", "kermany", "own"]:
    """Tell whose images these are: generated ones, the published paediatric ones (or a copy), or the user's own."""
    if run_record["environment"] == DEMO:
        return "demo"
    return "kermany" if {"bacteria", "virus"} <= set(run_record["data"]["etiologies"]) else "own"


def name_test(run_record: Mapping[str, Any], class_counts: pd.DataFrame) -> str:
    """Call the test images what they are: the published test set only where all 624 of it are there."""
    test = class_counts[class_counts["split"] == "test"].sort_values("target")
    images = tuple(int(n) for n in test["images"])
    total = f"{sum(images):,} images"
    if name_images(run_record) == "demo":
        return f"the synthetic test images ({total})"
    if run_record["data"]["test_from"] != ["test"]:
        return (
            f"a held-out part of the images ({total}), drawn by this project; the source has no test folder of its own"
        )
    if name_images(run_record) == "kermany" and images == PUBLISHED_TEST:
        return f"the published test set ({total})"
    return f"the test folder of the source as it was given ({total})"


def write_verdict(metrics: Mapping[str, Any], positive: str, negative: str, test_name: str) -> str:
    """Say what was measured on test, in a paragraph that a person can repeat without overstating it."""
    test = metrics["test"]
    missed, alarms = test["confusion"]["fn"], test["confusion"]["fp"]
    n_negative = test["n"] - test["n_positive"]
    return (
        f"Measured on {test_name}, from {test['n_groups']:,} groups that it was not trained on, the network ranks a "
        f"{positive} image above a {negative} one {say_percent(test['auc']['value'])} of the time "
        f"(AUC {say_number(test['auc']['value'])}, 95% interval {say_interval(test['auc'])}). At its threshold it "
        f"misses {missed:,} of {test['n_positive']:,} {positive} images and calls {alarms:,} of {n_negative:,} "
        f"{negative} images {positive}."
    )


def list_findings(
    metrics: Mapping[str, Any],
    decision: Mapping[str, Any],
    leak_audit: pd.DataFrame,
    shortcut_audit: pd.DataFrame,
    region_audit: pd.DataFrame,
    robustness: pd.DataFrame,
    pointing: Mapping[str, Any],
) -> list[dict[str, str]]:
    """Say what speaks for the result and against it, each by a stated rule.

    Returns:
        Records of `level` ("good", "caution" or "bad"), `title` and `text`.
    """
    first = [_judge_leaks(leak_audit), _judge_precision(metrics["test"]["auc"])]
    if (metrics["test"]["auc"]["low"] or 0) <= CHANCE:
        text = f"The interval of its AUC on test, {say_interval(metrics['test']['auc'])}, reaches down to chance."
        return [*first, _finding("bad", "It may be guessing", f"{text} Nothing else here can speak for it.")]
    findings = [
        *first,
        _judge_gap(metrics),
        _judge_threshold(metrics["val"], decision),
        _judge_shortcuts(shortcut_audit),
        _judge_regions(region_audit),
        _judge_calibration(metrics["test"]),
        _judge_robustness(robustness),
        _judge_pointing(pointing),
    ]
    return [finding for finding in findings if finding is not None]


def _finding(level: Level, title: str, text: str) -> dict[str, str]:
    return {"level": level, "title": title, "text": text}


def _judge_leaks(audit: pd.DataFrame) -> dict[str, str]:
    groups = audit[audit["unit"] == "group"].groupby("split_by", sort=False)["on_both_sides"].sum()
    ours = int(audit.loc[audit["split_by"] == SplitBy.MANIFEST, "on_both_sides"].sum())
    others = ", ".join(f"{count:,} in “{SPLIT_LABELS[name]}”" for name, count in groups.drop(SplitBy.MANIFEST).items())
    others = others or "no other split was compared"
    text = f"Groups on both sides: {int(groups[SplitBy.MANIFEST]):,} in this run; {others}."
    if ours:
        return _finding("bad", "The splits share groups or files", text)
    return _finding("good", "No group and no file is on both sides", text)


def _judge_precision(auc: Mapping[str, Any]) -> dict[str, str]:
    if auc["low"] is None:
        return _finding(
            "bad",
            "No interval",
            "One class of test has fewer than two groups: chance cannot be told from skill.",
        )
    width = auc["high"] - auc["low"]
    text = f"The 95% interval of the AUC is {width:.3f} wide."
    if width > WIDE_INTERVAL:
        return _finding("caution", "Few test images", f"{text} Differences smaller than that mean nothing here.")
    return _finding("good", "Enough test images to tell", text)


def _judge_gap(metrics: Mapping[str, Any]) -> dict[str, str]:
    val, test = metrics["val"]["auc"]["value"], metrics["test"]["auc"]["value"]
    text = f"AUC {val:.3f} on validation, {test:.3f} on test."
    if val - test > LARGE_GAP:
        return _finding(
            "caution",
            "Worse on test than on validation",
            f"{text} Expect another loss on images from elsewhere.",
        )
    return _finding("good", "Test agrees with validation", text)


def _judge_threshold(val: Mapping[str, Any], decision: Mapping[str, Any]) -> dict[str, str] | None:
    youden = next(row for row in decision["rules"] if row["rule"] == "youden")
    best, own = (youden["sensitivity"] + youden["specificity"]) / 2, val["balanced_accuracy"]["value"]
    if best - own <= POOR_THRESHOLD:
        return None
    text = f"On validation its balanced accuracy is {own:.3f}; a threshold of {youden['threshold']:.3f} has {best:.3f}."
    return _finding("caution", "The threshold does not suit these scores", text)


def _judge_shortcuts(audit: pd.DataFrame) -> dict[str, str]:
    on_test = audit[audit["images"] == Sample.TEST]
    network = on_test[on_test["predictor"] == Predictor.NETWORK].iloc[0]
    best = on_test[on_test["predictor"] != Predictor.NETWORK].sort_values("auc").iloc[-1]
    name = PREDICTOR_LABELS[best["predictor"]].lower()
    text = f"Without looking at the lungs, “{name}” reaches AUC {best['auc']:.3f} on test, "
    text += f"the network {network['auc']:.3f}."
    if best["auc"] >= network["low"]:
        return _finding("bad", "A shortcut does as well", f"{text} The result does not show that it reads radiographs.")
    if best["auc"] > TELLING_REGION:
        return _finding("caution", "Shortcuts exist in these images", f"{text} Some of its skill may come from them.")
    return _finding("good", "Better than any shortcut", text)


def _judge_regions(audit: pd.DataFrame) -> dict[str, str]:
    by_view = audit.set_index("predictor")
    rim, centre = by_view.loc[View.CENTRE_HIDDEN], by_view.loc[View.BORDER_HIDDEN]
    text = (
        f"AUC {rim['auc']:.3f} with the centre of the image hidden, {centre['auc']:.3f} with all but the centre hidden."
    )
    if rim["auc"] >= centre["auc"]:
        return _finding("bad", "It reads the rim of the image", text)
    if rim["auc"] > TELLING_REGION:
        return _finding(
            "caution",
            "The rim alone tells a lot",
            f"{text} Shoulders, abdomen and borders carry part of the answer.",
        )
    return _finding("good", "The centre carries the answer", text)


def _judge_calibration(test: Mapping[str, Any]) -> dict[str, str]:
    error = test["ece"]["value"]
    text = f"On average a probability is off by {100 * error:.1f} points on test."
    if error > GOOD_CALIBRATION:
        return _finding("caution", "Probabilities are not to be taken at their word", text)
    return _finding("good", "Probabilities hold on test", text)


def _judge_robustness(robustness: pd.DataFrame) -> dict[str, str]:
    if robustness.empty:
        return _finding("caution", "Robustness not measured", "The parameter evaluation.robustness was off.")
    clean = float(robustness.loc[robustness["strength"] == 0, "auc"].iloc[0])
    worst = robustness[robustness["strength"] == 2].sort_values("auc").iloc[0]
    text = f"Worst of the medium damages: {worst['kind']}, AUC {worst['auc']:.3f} instead of {clean:.3f}."
    if clean - float(worst["auc"]) > LARGE_LOSS:
        return _finding("caution", "Sensitive to image quality", text)
    return _finding("good", "Stands medium damage", text)


def _judge_pointing(pointing: Mapping[str, Any]) -> dict[str, str] | None:
    if not pointing["n"]:
        return None
    hits, share = pointing["hits"], pointing["lesion_share"]
    text = (
        f"The peak of the map lies on the known lesion in {say_percent(hits['value'], 0)} of {pointing['n']} "
        f"bacterial images (95% interval {say_percent(hits['low'], 0)} to {say_percent(hits['high'], 0)}); a peak at "
        f"random would in {say_percent(share, 0)}."
    )
    if hits["low"] is None or hits["low"] <= share or hits["value"] < 3 * share:
        return _finding("caution", "It does not clearly look at the lesions", text)
    return _finding("good", "It looks at the lesions", text)


def list_limits(run_record: Mapping[str, Any], metrics: Mapping[str, Any], data_flow: pd.DataFrame) -> list[str]:
    """List what these figures do not show, the gravest first."""
    kind = name_images(run_record)
    share = metrics["test"]["n_positive"] / metrics["test"]["n"]
    limits = ["Research software, not a medical device. No decision about a child may rest on it."]
    if kind == "demo":
        limits.append(DEMO_NOTE)
    if kind == "kermany":
        limits.append(
            "All images come from one hospital (children of 1 to 5 years, antero-posterior). Networks of this kind "
            "that reached an AUC of 0.95 here fell to 0.54 on children of another hospital (Xin, Li and Yi, "
            "Emergency Radiology 2022, online 2021). Without a test elsewhere, nothing is known about other places."
        )
    if kind == "own":
        limits.append("All images come from one source. Nothing is known about images from elsewhere.")
    alone = int(data_flow.set_index("step").loc[FlowStep.UNGROUPED, "images"])
    if alone:
        limits.append(
            f"No group could be read for {alone:,} images: each counts as a child of its own. If "
            "children have several images, some are on both sides and every figure here is too good."
        )
    limits += [
        f"Validation figures are optimistic: {name_chosen(run_record)} and possibly the threshold were chosen on "
        "those images.",
        f"{say_percent(share, 0)} of the test images are positive, far more than in most clinics. Precision and NPV "
        f"at a share of {say_percent(metrics['test']['prevalence'], 0)} stand in the table of metrics.",
        "Groups are read from file names or a table: they stand for children, but nobody has proven that they are.",
        "The labels are taken as they are. Sex, age and other diagnoses are not known, so fairness cannot be examined.",
    ]
    return limits


def name_chosen(run_record: Mapping[str, Any]) -> str:
    """Say what of the model was chosen on the validation images: of several members not the epoch."""
    members = run_record["model"]["training"].get("members", 1)
    return "the calibration" if members > 1 else "the epoch, the calibration"


def png_uri(picture: bytes) -> str:
    """Return a PNG as a data URI."""
    return "data:image/png;base64," + base64.b64encode(picture).decode()
