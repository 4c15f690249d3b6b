"""Findings on probabilities, maps, the order of the images and parts of the images, each by a stated rule.

Of stretches and of parts of the images they say only what holds for all comparisons together.
"""

from typing import Any

import pandas as pd

from pneumonia.audits.maps import MapSimilarity, Pointing
from pneumonia.audits.patients import LEAST_COMPARED, NOT_KNOWN
from pneumonia.audits.stretches import Measure
from pneumonia.metrics.registry import value_of
from pneumonia.metrics.summary import SplitMetrics
from pneumonia.report.words import (
    MOST_DIGITS,
    Finding,
    Level,
    finding,
    say_interval,
    say_number,
    say_percent,
    say_share_bounds,
)

GOOD_SLOPE, GOOD_SHIFT = (0.8, 1.25), (-0.2, 0.2)  # where a miscalibration does not matter
ALIKE = 0.5  # rank correlation from which the maps of a shuffled network are called alike
UNUSUAL = 0.05  # p, for all stretches together
NEGLIGIBLE = {"auc": 0.05, "sensitivity": 0.1, "specificity": 0.1}  # a difference up to which parts count as alike
MEASURE_LABELS = {"auc": "AUC", "sensitivity": "sensitivity", "specificity": "specificity"}
MOST_NAMED = 3


def judge_calibration(measured: SplitMetrics, where: str) -> Finding:
    """Judge probabilities by the calibration slope and the shift, with intervals that hold together.

    They are well calibrated if both intervals lie where no error matters, miscalibrated if one lies not so and excludes
    the ideal; otherwise neither is shown.

    Args:
        measured: Has `calibration_slope` and `calibration_in_the_large`, and as `calibration_joint` both with intervals
            that hold together (missing from records of earlier releases).
        where: On which images, such as "on test".
    """
    joint = measured.get("calibration_joint", measured)
    slope, shift = joint["calibration_slope"], joint["calibration_in_the_large"]
    level = "95% intervals together" if "calibration_joint" in measured else "95% interval each"
    fitted = f"{say_number(slope['value'], 2)} ({say_interval(slope, 2)}; ideal 1)"
    if slope["value"] is None:
        fitted = "cannot be fitted, because the probabilities are nearly alike"
    text = (
        f"Calibration slope {where}: {fitted}; calibration in the large {say_number(shift['value'], 2)} "
        f"({say_interval(shift, 2)}; ideal 0); {level}."
    )
    ranges = [
        (low, high, good, ideal)
        for one, good, ideal in ((slope, GOOD_SLOPE, 1), (shift, GOOD_SHIFT, 0))
        if (low := one["low"]) is not None and (high := one["high"]) is not None
    ]
    if len(ranges) < 2:
        return finding(Level.CAUTION, "Calibration cannot be judged", text)
    is_good = [good[0] <= low and high <= good[1] for low, high, good, _ in ranges]
    if all(is_good):
        return finding(Level.GOOD, f"Well calibrated {where}", text)
    is_off = [not low <= ideal <= high for low, high, _, ideal in ranges]
    if any(off and not good for off, good in zip(is_off, is_good, strict=True)):
        return finding(Level.BAD, f"Probabilities are miscalibrated {where}", text)
    text += f" Good would be a slope of {_say_range(GOOD_SLOPE)} and a shift of {_say_range(GOOD_SHIFT)}."
    return finding(Level.CAUTION, "Calibration cannot be judged", text)


def _say_range(bounds: tuple[float, float]) -> str:
    return f"{bounds[0]} to {bounds[1]}"


def judge_maps(map_similarity: MapSimilarity) -> Finding | None:
    """Say if maps hardly change once the network's weights are shuffled.

    Args:
        map_similarity: The record of `audits.maps.compare_maps`.
    """
    similarity = map_similarity["similarity"]
    if similarity is None or similarity < ALIKE:
        return None
    text = f"The maps of {map_similarity['n']} test images resemble those of the same network with shuffled weights "
    text += f"(mean rank correlation {say_number(similarity, 2)}), so they show the image rather than "
    text += "what the network has learned."
    return finding(Level.CAUTION, "The maps hardly depend on what the network has learned", text)


def judge_pointing(pointing: Pointing) -> Finding | None:
    """Say whether maps peak on lesions that are known, more often than by chance.

    Args:
        pointing: The record of `audits.maps.measure_pointing`.
    """
    hits, share, others = pointing["hits"], pointing["lesion_share"], pointing.get("others_share")
    if share is None:
        return None
    text = (
        f"The peak of the map lies on the known lesion in {say_percent(hits['value'], 0)} of {pointing['n']} "
        f"test images with a known lesion ({say_share_bounds(hits, 0)}); a peak anywhere at random would in "
        f"{say_percent(share, 0)}"
    )
    text += "." if others is None else f", the peaks of the other images' maps in {say_percent(others, 0)}."
    share = max(share, others or 0.0)
    # Three times as often on the lesion as by chance or, of large lesions, beside it a third as often.
    enough = min(3 * share, 1 - (1 - share) / 3)
    if hits["low"] is None or hits["low"] <= share or value_of(hits) < enough:
        return finding(Level.CAUTION, "Maps are not shown to peak on the lesions", text)
    return finding(Level.GOOD, "Maps peak on lesions more often than expected by chance", text)


def judge_stretches(stretch_audit: pd.DataFrame) -> Finding | None:
    """Judge whether errors lie together in the order of the numbers in file names.

    Args:
        stretch_audit: The table of `audits.stretches.find_stretches`.

    Returns:
        None if the names have no order, or nothing is wrong.
    """
    errors = stretch_audit[stretch_audit["measure"] == Measure.ERRORS].sort_values("p", kind="stable")
    if errors.empty:
        return None
    text = say_stretch(errors.iloc[0].to_dict())
    if errors["p"].iloc[0] < UNUSUAL:
        text += " Images with near numbers were often acquired together: the acquisition may have changed there."
        return finding(Level.CAUTION, "Errors lie together in a stretch of consecutive numbers", text)
    return finding(Level.GOOD, "No stretch of consecutive numbers is shown to have more errors", text)


def say_stretch(row: dict[str, Any]) -> str:
    """Put a row of the audit in a sentence."""
    measure, tried = Measure(row["measure"]).label, range(3, MOST_DIGITS + 1)
    digits = next((more for more in tried if f"{row['value']:.{more}f}" != f"{row['overall']:.{more}f}"), 3)
    return (
        f"Of {row['stretches']:,} stretches of test groups, the one from {row['first']} to {row['last']} "
        f"({row['label']}, {row['images']:,} images of {row['groups']:,} groups) stands out most: {measure} "
        f"{say_number(row['value'], digits)}, of all {row['label']} {say_number(row['overall'], digits)}; "
        f"p = {say_number(row['p'])} for all stretches together, by exchanging groups within their class."
    )


def judge_confounding(strata: pd.DataFrame, where: str = "on test") -> Finding | None:
    """Find what is known of the images and tells their class: every value of it has images of one class only.

    Args:
        strata: The table of `audits.patients.measure_by_attribute`.
        where: On which images, in words.

    Returns:
        None where nothing does, or does so only of values that fewer than ten images of a class share: where each image
        has a device of its own, that tells nothing.
    """
    if strata.empty:
        return None
    told = []
    for attribute, rows in strata[strata["value"] != NOT_KNOWN].groupby("attribute", sort=False):
        is_of_one_class = rows["n_positive"].isin([0]) | (rows["n_positive"] == rows["n"])
        shared = rows[rows["n"] >= LEAST_COMPARED]
        if is_of_one_class.all() and 0 < shared["n_positive"].sum() < shared["n"].sum():
            told.append(str(attribute))
    if not told:
        return None
    text = f"Where known {where}, all images with the same {' or '.join(told)} are of one class. A network that reads "
    text += "nothing else would be right on all of them, so the result does not show that this one reads lungs."
    return finding(Level.BAD, f"The class follows from the {' and from the '.join(told)}", text)


def judge_patients(strata: pd.DataFrame, differences: pd.DataFrame, where: str = "on test") -> Finding | None:
    """Judge the differences between ages, sexes, views and devices, by intervals that hold for all of them together.

    Args:
        strata: The table of `audits.patients.measure_by_attribute`.
        differences: That of `audits.patients.compare_by_attribute`.
        where: On which images, in words.

    Returns:
        None if nothing is known of the patients.
    """
    if strata.empty:
        return None
    known = list(dict.fromkeys(strata["attribute"]))
    told = differences.dropna(subset=["joint_low", "joint_high"])
    if told.empty:
        text = f"Known {where}: {', '.join(known)}; but no two parts have ten images of each class in several groups."
        return finding(Level.CAUTION, "Parts of the images cannot be compared", text)
    shown = told[(told["joint_low"] > 0) | (told["joint_high"] < 0)]
    margin = told["measure"].map(NEGLIGIBLE)
    compared = [name for name in known if name in set(told["attribute"])]
    small = [name for name in known if name not in compared]
    text = f"By {', '.join(compared)}, {where}: {say_multiplicity(told)}"
    text += f" Known, but with parts too small to compare: {', '.join(small)}." if small else ""
    if len(shown):
        large = shown[shown[["joint_low", "joint_high"]].abs().min(axis=1) > margin.loc[shown.index]]
        named = "; ".join(_say_row(row) for row in shown.head(MOST_NAMED).to_dict("records"))
        more = f"; and {len(shown) - MOST_NAMED} more" if len(shown) > MOST_NAMED else ""
        level = Level.BAD if len(large) else Level.CAUTION
        return finding(level, "The result differs between parts of the images", f"{text} {named}{more}.")
    if ((told["joint_low"] >= -margin) & (told["joint_high"] <= margin)).all():
        measures = [name for name in NEGLIGIBLE if name in set(told["measure"])]
        most = " and ".join(f"{NEGLIGIBLE[name]} of {MEASURE_LABELS[name]}" for name in measures)
        return finding(Level.GOOD, f"Parts of the images differ by at most {most}", text)
    title = "Differences between parts of the images are neither shown nor excluded"
    return finding(Level.CAUTION, title, text)


def say_multiplicity(differences: pd.DataFrame) -> str:
    """Say how many comparisons there are, and how many of them exclude no difference, alone and together."""
    n = len(differences)
    alone = int(((differences["low"] > 0) | (differences["high"] < 0)).sum())
    together = int(((differences["joint_low"] > 0) | (differences["joint_high"] < 0)).sum())
    return (
        f"of {n:,} comparison{'s' if n > 1 else ''}, the 95% interval of {alone or 'none'} excludes zero "
        f"({0.05 * n:.4g} would by chance if there were no difference), the joint one (Bonferroni) of "
        f"{together or 'none'}."
    )


def _say_row(row: dict[str, object]) -> str:
    joint = {"low": row["joint_low"], "high": row["joint_high"]}
    return (
        f"{MEASURE_LABELS[str(row['measure'])]} of {row['value']} against {row['against']}: "
        f"{say_number(row['difference'])} ({say_interval(joint)}, jointly)"
    )


def tabulate_differences(differences: pd.DataFrame) -> pd.DataFrame:
    """Put the table of `audits.patients.compare_by_attribute` as pages show it: intervals in words."""
    rows = differences.to_dict("records")
    return pd.DataFrame(
        {
            "by": differences["attribute"],
            "part": differences["value"],
            "against": differences["against"],
            "measure": differences["measure"].map(MEASURE_LABELS),
            "difference": [say_number(row["difference"]) for row in rows],
            "95% interval": [say_interval(row) for row in rows],
            "joint interval": [say_interval({"low": row["joint_low"], "high": row["joint_high"]}) for row in rows],
            "images": [f"{row['n']:,} and {row['n_against']:,}" for row in rows],
        }
    )
