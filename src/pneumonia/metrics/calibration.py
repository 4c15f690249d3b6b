"""Calibration of probabilities: fitted on one sample, stored as a plain record, applied to any other."""

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from pneumonia.metrics.metrics import ECE_BINS, Floats, calibration_bin

CLIP = 1e-7  # float32 rounds a sigmoid to exactly 0 or 1, whose logit is infinite


def fit_calibration(
    probability: Floats, target: npt.NDArray[np.int64], method: Literal["temperature", "platt", "isotonic", "none"]
) -> dict[str, Any]:
    """Fit what turns the network's probabilities into calibrated ones.

    `temperature` divides the logit by one number, which keeps the order of the images and what lies above 0.5
    (Guo et al., ICML 2017); `platt` also shifts it, which undoes the balance that class weights bring. Both minimise
    the log-loss against Platt's targets `(n1 + 1) / (n1 + 2)` and `1 / (n0 + 2)` instead of 1 and 0, so that they
    stay finite where the classes separate without an error (Platt, Advances in Large Margin Classifiers, 1999).
    `isotonic` is the non-decreasing staircase of least squares, joined by straight lines.

    Args:
        probability: The network's probability of the positive class, `[n]`.
        target: True class, 0 or 1, `[n]`.
        method: Which of the three, or "none".

    Returns:
        `method` with `temperature` (and `shift`, 0 but for "platt"), or with `x` and `y` of the staircase's corners.
    """
    if method in ("temperature", "platt"):
        temperature, shift = _fit_logit(probability, target, shifted=method == "platt")
        return {"method": method, "temperature": temperature, "shift": shift}
    if method == "isotonic":
        from sklearn.isotonic import IsotonicRegression

        stairs = IsotonicRegression(y_min=0, y_max=1).fit(probability, target)
        return {"method": method, "x": stairs.X_thresholds_.tolist(), "y": stairs.y_thresholds_.tolist()}
    return {"method": method}


def apply_calibration(probability: Floats, calibration: dict[str, Any]) -> Floats:
    """Turn the network's probabilities into calibrated ones by a record of `fit_calibration`."""
    probability = np.asarray(probability, dtype=float)
    if calibration["method"] in ("temperature", "platt"):
        return 1 / (1 + np.exp(-logit(probability) / calibration["temperature"] - calibration["shift"]))
    if calibration["method"] == "isotonic":
        return np.interp(probability, calibration["x"], calibration["y"])
    return probability.copy()


def reliability(probability: Floats, target: npt.NDArray[np.int64]) -> dict[str, npt.NDArray]:
    """Compare predicted and seen shares of the positive class in tenths of the probability.

    Returns:
        `bin` (0 to 9, empty ones left out), `n`, `predicted` (mean probability) and `seen` (share of positives).
    """
    bins = calibration_bin(probability)
    n = np.bincount(bins, minlength=ECE_BINS)
    used = np.flatnonzero(n)
    return {
        "bin": used,
        "n": n[used],
        "predicted": np.bincount(bins, probability, ECE_BINS)[used] / n[used],
        "seen": np.bincount(bins, target, ECE_BINS)[used] / n[used],
    }


def logit(probability: Floats) -> Floats:
    """Return `log(p / (1 - p))`, with `p` kept 1e-7 away from 0 and 1."""
    clipped = np.clip(np.asarray(probability, dtype=float), CLIP, 1 - CLIP)
    return np.log(clipped / (1 - clipped))


def _fit_logit(probability: Floats, target: npt.NDArray[np.int64], shifted: bool) -> tuple[float, float]:
    """Return the temperature (0.05 to 20) and the shift (-20 to 20) of least log-loss against Platt's targets."""
    from scipy.optimize import minimize

    n_positive = int(np.sum(target))
    soft = np.where(target == 1, (n_positive + 1) / (n_positive + 2), 1 / (len(target) - n_positive + 2))
    logits = logit(probability)

    def loss(at: Floats) -> float:
        scaled = logits / np.exp(at[0]) + at[1]
        return float(np.mean(np.logaddexp(0, scaled) - soft * scaled))

    bounds = [(np.log(0.05), np.log(20)), (-20, 20) if shifted else (0, 0)]
    best = minimize(loss, x0=[0.0, 0.0], bounds=bounds, method="L-BFGS-B", options={"ftol": 1e-14}).x
    return float(np.exp(best[0])), float(best[1])
