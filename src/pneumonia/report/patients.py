"""What the report says about parts of the patients: only what holds for all the comparisons together."""

import pandas as pd

from pneumonia.report.words import Finding, Level, finding, say_interval, say_number

NEGLIGIBLE = {"auc": 0.05, "sensitivity": 0.1, "specificity": 0.1}  # a difference up to which parts count as alike
MEASURE_LABELS = {"auc": "AUC", "sensitivity": "sensitivity", "specificity": "specificity"}
MOST_NAMED = 3


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
        return finding(Level.CAUTION, "Parts of the patients cannot be compared", text)
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
        return finding(level, "The result differs between parts of the patients", f"{text} {named}{more}.")
    if ((told["joint_low"] >= -margin) & (told["joint_high"] <= margin)).all():
        measures = [name for name in NEGLIGIBLE if name in set(told["measure"])]
        most = " and ".join(f"{NEGLIGIBLE[name]} of {MEASURE_LABELS[name]}" for name in measures)
        return finding(Level.GOOD, f"Parts of the patients differ by at most {most}", text)
    title = "Differences between parts of the patients are neither shown nor excluded"
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
