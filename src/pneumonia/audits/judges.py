"""Judges that see framing: how a network ranks validation images once their framing says nothing, or the reverse.

Healthy and ill children were not framed alike in the published images, so that a network may tell the classes by where
the edges of the picture lie, and no image as it is shows it. Each judge shows the negatives, the positives, or both
through another window (`reframing`), and lets the network rank them against the others as they are.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from pneumonia.audits.reframing import UNTOUCHED, Framing, cut, reframe, widen, zoom
from pneumonia.metrics.metrics import Floats, ranking_metrics

Pixels = npt.NDArray[np.uint8]
Predict = Callable[[Pixels], Floats]

AS_THEY_ARE = "as they are"
CUTS = {
    "cut: top 15%": cut(0.15, 0.0, 1.0),
    "cut: top 25%": cut(0.25, 0.0, 1.0),
    "cut: top 15%, sides 5%, bottom 15%": cut(0.15, 0.05, 0.85),
    "cut: top 25%, sides 10%": cut(0.25, 0.10, 1.0),
}
WIDE = {name.replace("cut", "added"): widen(framing) for name, framing in CUTS.items()}
ZOOMS = {
    "inner 80%": zoom(1.25),
    "inner 60%": zoom(1 / 0.6),
    "at 75%, mirrored round it": zoom(0.75),
    "at 75%, black round it": zoom(0.75, "black"),
    "at 80%, black round it": zoom(0.8, "black"),
}
FRAMINGS: dict[str, Framing] = {AS_THEY_ARE: UNTOUCHED, **CUTS, **WIDE, **ZOOMS}


class Judge(NamedTuple):
    """What a judge shows: names of the `FRAMINGS` of the negatives and of the positives."""

    kind: str
    negatives: str
    positives: str


JUDGES = (
    Judge("untouched", AS_THEY_ARE, AS_THEY_ARE),
    *(Judge("negatives cut", name, AS_THEY_ARE) for name in CUTS),
    *(Judge("positives widened", AS_THEY_ARE, name) for name in WIDE),
    *(Judge("both", narrow, wide) for narrow, wide in zip(CUTS, WIDE, strict=True)),
    *(Judge("all zoomed", name, name) for name in ZOOMS),
)


class Judged(NamedTuple):
    """The images of one judge: what is true of each, what the network says, and which rows they are."""

    target: npt.NDArray[np.int64]
    probability: Floats
    rows: npt.NDArray[np.int64]


def run_judges(
    predict: Predict, images: Pixels, target: npt.NDArray[np.int64], judges: Iterable[Judge] = JUDGES
) -> dict[Judge, Judged]:
    """Predict the images as each judge shows them; each class under each framing once.

    Args:
        predict: Gives the probability of the positive class, `[n]`, of uint8 `[n, size, size, 1]`.
        images: The images, uint8 `[n, size, size, 1]`.
        target: True class, 0 or 1, `[n]`.
        judges: Which judges.

    Returns:
        By judge, the negatives, then the positives.
    """
    rows_of = [np.flatnonzero(target == label) for label in (0, 1)]
    seen: dict[tuple[int, str], Floats] = {}

    def score(label: int, name: str) -> Floats:
        if (label, name) not in seen:
            seen[label, name] = predict(reframe(images[rows_of[label]], FRAMINGS[name]))
        return seen[label, name]

    rows = np.concatenate(rows_of)
    return {
        judge: Judged(target[rows], np.concatenate([score(0, judge.negatives), score(1, judge.positives)]), rows)
        for judge in judges
    }


def tabulate_judges(judged: dict[Judge, Judged], threshold: float = 0.5) -> pd.DataFrame:
    """Return kind, negatives, positives, auc, sensitivity, specificity and n, one row a judge."""
    return pd.DataFrame([{**judge._asdict(), **_figures(seen, threshold)} for judge, seen in judged.items()])


def _figures(seen: Judged, threshold: float) -> dict[str, Any]:
    called = seen.probability >= threshold
    return {
        "auc": float(ranking_metrics(seen.target, seen.probability)["auc"][0]),
        "sensitivity": float(called[seen.target == 1].mean()),
        "specificity": float(1 - called[seen.target == 0].mean()),
        "n": len(seen.target),
    }
