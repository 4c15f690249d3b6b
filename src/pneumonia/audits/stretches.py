"""Whether errors and scores change along the numbers in the names of the images, as where the acquisition changed."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from pneumonia.base.annotations import Floats
from pneumonia.base.parameters import EvaluationParameters
from pneumonia.base.text import Labelled
from pneumonia.split.folds import order_groups

PERMUTATIONS = 999
LEAST_VARIANCE = 1e-12  # of what differs by more than rounding
# Groups of a stretch. A form of names has stretches of a length that leaves at least as many of its groups outside.
LENGTHS = (10, 20, 40, 80, 160)
ORDER_COLUMNS = ["split", "label", "form", "group", "path", "place", "images", "errors", "score"]
STRETCH_COLUMNS = ["measure", "label", "first", "last", "groups", "images", "value", "overall", "stretches", "p"]


class Measure(Labelled):
    """What may differ between a stretch and the other images of its class."""

    ERRORS = "errors", "share of errors"
    SCORES = "scores", "mean probability"


class Series(NamedTuple):
    """The groups of a class in order, and their stretches.

    Attributes:
        sums: Sum over the images of each group, `[g]`.
        images: Images of each group, `[g]`.
        starts: Where each stretch begins, `[s]`.
        ends: Where it ends, exclusive, `[s]`.
        spread: Standard deviation of an image.
    """

    sums: Floats
    images: Floats
    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    spread: float

    def excess(self, order: npt.NDArray[np.int64], measure: Measure) -> Floats:
        """Return by how many standard errors each stretch lies above the class, or for scores from it, `[s]`."""
        sums, images = (np.append(0.0, np.cumsum(values[order])) for values in (self.sums, self.images))
        n = images[self.ends] - images[self.starts]
        expected = n * (sums[-1] / images[-1])
        excess: Floats = (sums[self.ends] - sums[self.starts] - expected) / (self.spread * np.sqrt(n))
        return np.abs(excess) if measure == Measure.SCORES else excess


def order_predictions(predictions: pd.DataFrame) -> pd.DataFrame:
    """Put the groups of validation and test in the order of the numbers in their names.

    Args:
        predictions: One row per image of validation and test.

    Returns:
        `ORDER_COLUMNS`: path of its first image, place (from 1, within the class), images, errors and score (mean
        probability) of each group. No rows where names give no order.
    """
    wrong = (predictions["decision"] != predictions["target"]).astype(int)
    groups = predictions.assign(wrong=wrong).groupby(["split", "label", "group"], sort=False)
    table = groups.agg(images=("path", "size"), errors=("wrong", "sum"), score=("probability", "mean")).reset_index()
    order = order_groups(predictions)
    order["place"] = order.groupby("label").cumcount() + 1
    return order.merge(table, on=["label", "group"])[ORDER_COLUMNS]


def find_stretches(ordered_predictions: pd.DataFrame, parameters: EvaluationParameters) -> pd.DataFrame:
    """Find the stretch of test groups whose errors, or scores, differ most from the others of the class.

    Of all stretches of 10, 20, 40, 80 and 160 groups in a row, the one is named that lies furthest from its class in
    standard errors. `p` is the share of random orders (groups exchanged within their class) in which any stretch of
    any class lies as far: it holds for all stretches together (a scan statistic; Kulldorff, Commun. Stat. Theory
    Methods 26, 1997).

    Args:
        ordered_predictions: As `order_predictions` gives them.
        parameters: `seed`.

    Returns:
        `STRETCH_COLUMNS`: measure (a `Measure`), label, first and last (the first image of its first and of its last
        group), groups, images, value (share of errors, or mean probability) in the stretch, overall in its class,
        number of stretches, p; of each measure, the stretch that stands out most comes first. No row for a class
        without an order, or without errors.
    """
    test = ordered_predictions[ordered_predictions["split"] == "test"]
    rows = [row for measure in Measure for row in _scan(test, measure, parameters.seed)]
    return pd.DataFrame(rows, columns=STRETCH_COLUMNS)


def _scan(test: pd.DataFrame, measure: Measure, seed: int) -> Iterator[dict[str, Any]]:
    parts = {str(label): part.reset_index(drop=True) for label, part in test.groupby("label")}
    series = {label: one for label, part in parts.items() if (one := _make_series(part, measure)) is not None}
    if not series:
        return
    rng = np.random.default_rng(seed)
    chance = [
        max(one.excess(rng.permutation(len(one.sums)), measure).max() for one in series.values())
        for _ in range(PERMUTATIONS)
    ]
    total = sum(len(one.starts) for one in series.values())
    seen = {label: one.excess(np.arange(len(one.sums)), measure) for label, one in series.items()}
    for label, excess in sorted(seen.items(), key=lambda found: -found[1].max()):
        one, best = series[label], int(excess.argmax())
        start, end = int(one.starts[best]), int(one.ends[best])
        images = int(one.images[start:end].sum())
        yield {
            "measure": str(measure),
            "label": label,
            "first": parts[label]["path"][start],
            "last": parts[label]["path"][end - 1],
            "groups": end - start,
            "images": images,
            "value": float(one.sums[start:end].sum() / images),
            "overall": float(one.sums.sum() / one.images.sum()),
            "stretches": total,
            "p": (1 + int(np.sum(np.array(chance) >= excess[best] - 1e-9))) / (1 + PERMUTATIONS),
        }


def _make_series(part: pd.DataFrame, measure: Measure) -> Series | None:
    """Return the groups of a class with their stretches; None if there is no stretch, or nothing differs."""
    images = part["images"].to_numpy(dtype=float)
    values = (part["errors"] / part["images"] if measure == Measure.ERRORS else part["score"]).to_numpy(dtype=float)
    overall = np.average(values, weights=images)
    # Errors are all or nothing in an image; scores are averaged within a group.
    variance = overall * (1 - overall) if measure == Measure.ERRORS else np.cov(values, aweights=images, ddof=0)
    starts, ends = _list_stretches(part["form"])
    if not len(starts) or variance <= LEAST_VARIANCE:
        return None
    return Series(values * images, images, starts, ends, float(np.sqrt(variance)))


def _list_stretches(forms: pd.Series) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return begin and end of all stretches, none of which reaches from one form of names into another."""
    bounds = [(0, 0)]
    for _, places in forms.groupby(forms, sort=False).indices.items():
        low, high = int(places[0]), int(places[-1]) + 1
        bounds += [(start, start + k) for k in LENGTHS if 2 * k <= high - low for start in range(low, high - k + 1)]
    starts, ends = np.array(bounds[1:], np.int64).reshape(-1, 2).T
    return starts, ends
