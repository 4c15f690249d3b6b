"""What the report says of the probabilities themselves."""

from pneumonia.metrics.summary import SplitMetrics
from pneumonia.report.words import Finding, Level, finding, say_interval, say_number

GOOD_SLOPE, GOOD_SHIFT = (0.8, 1.25), (-0.2, 0.2)  # where a miscalibration does not matter


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
