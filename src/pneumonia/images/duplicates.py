"""Exact copies, and near-duplicates: copies of one radiograph with different bytes, such as re-encoded or resized ones.

Candidates are pairs whose perceptual hashes differ in few bits; a pair counts if the pixels also correlate. The hash
alone would chain different chests together. The correlation is Pearson's, of 32 x 32 grey values minus their
surroundings (Gaussian, sigma 2), because all chests share the broad pattern of light and dark.

On 5,190 different radiographs at 224 x 224 (13.5 million pairs), the largest correlation of two of them is 0.92, the
second largest 0.86. Copies at JPEG quality 30, at 0.6 of the size, at gamma 0.8 to 1.6, with more contrast or with
noise correlate at least 0.95. A copy that was cropped by more than one percent at each side is not found.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import pandas as pd

from pneumonia.base.engine import thread_count
from pneumonia.base.errors import UserError
from pneumonia.base.parameters import IngestParameters
from pneumonia.images.opening import open_image
from pneumonia.images.perceptual_hash import SIDE, candidate_pairs, grey_values
from pneumonia.images.source import ImageSource
from pneumonia.images.status import COPY_OF, DUPLICATE, OK

PAIR_COLUMNS = ("path_a", "path_b", "bits", "correlation", "label_a", "label_b", "group_a", "group_b", "treatment")
ONE_GROUP = "one group"
# One of the pair is in the published test set: all images outside that set that are joined with it are left out.
LEFT_OUT = "left out of train"
REPORTED = "only reported"

_SURROUNDINGS_SIGMA = 2.0
# Pairs whose pixels are in memory at once.
_PAIRS_AT_ONCE = 1024

# How many pairs or paths an error message shows.
_SHOWN = 20


def find_near_duplicates(source: ImageSource, index: pd.DataFrame, parameters: IngestParameters) -> pd.DataFrame:
    """List the pairs of images that show the same radiograph.

    Args:
        source: The source of the images; candidates are read again.
        index: The image index. Exact copies are left out.
        parameters: Largest number of bits in which the hashes may differ, smallest correlation, and `group_by`.

    Returns:
        `PAIR_COLUMNS`, by paths. `treatment` is "one group" if the split keeps the two together, "left out of
        train" if only one of them is in the published test, and "only reported" if images are split individually.
    """
    usable = index[(index["status"] == OK) & (index["perceptual_hash"] != "")].reset_index(drop=True)
    pairs = candidate_pairs(usable["perceptual_hash"].tolist(), parameters.near_duplicate_bits)
    correlations = _correlate(source, usable["path"].tolist(), pairs)
    confirmed = correlations >= parameters.near_duplicate_correlation
    first, second = (usable.loc[pairs[confirmed, side]].reset_index(drop=True) for side in (0, 1))
    is_parted = (first["source_split"] == "test") != (second["source_split"] == "test")
    treatment = np.where(is_parted, LEFT_OUT, ONE_GROUP)
    values = {
        "bits": pairs[confirmed, 2],
        "correlation": correlations[confirmed].round(4),
        "treatment": treatment if parameters.group_by != "image" else REPORTED,
    }
    for name in ("path", "label", "group"):
        values |= {f"{name}_a": first[name], f"{name}_b": second[name]}
    found = pd.DataFrame(values, columns=list(PAIR_COLUMNS))
    return found.sort_values(["path_a", "path_b"], ignore_index=True)


def _correlate(source: ImageSource, paths: Sequence[str], pairs: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Correlate the pixels of pairs, `[pairs]`."""
    rows = np.unique(pairs[:, :2])
    grey = np.empty((len(rows), SIDE, SIDE), np.uint8)
    with ThreadPoolExecutor(thread_count()) as pool:
        for place, values in enumerate(pool.map(lambda row: _read_grey(source, paths[row]), rows)):
            grey[place] = values
    places = np.searchsorted(rows, pairs[:, :2])
    chunks = [places[start : start + _PAIRS_AT_ONCE] for start in range(0, len(places), _PAIRS_AT_ONCE)]
    return np.concatenate([np.empty(0), *(correlate_details(grey[chunk[:, 0]], grey[chunk[:, 1]]) for chunk in chunks)])


def _read_grey(source: ImageSource, path: str) -> npt.NDArray[np.float64]:
    with open_image(source.read(path)) as image:
        return grey_values(image)


def correlate_details(one: npt.NDArray[np.uint8], other: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Return Pearson's correlation of images minus their surroundings.

    Args:
        one: Grey values, `[n, 32, 32]`.
        other: Grey values, `[n, 32, 32]`.

    Returns:
        Correlations, `[n]`; 0 where an image has no details.
    """
    from scipy.ndimage import gaussian_filter

    details = []
    for images in (one, other):
        values = images.astype(np.float64)
        values -= gaussian_filter(values, (0, _SURROUNDINGS_SIGMA, _SURROUNDINGS_SIGMA))
        values = values.reshape(len(values), -1)
        details.append(values - values.mean(axis=1, keepdims=True))
    norms = np.linalg.norm(details[0], axis=1) * np.linalg.norm(details[1], axis=1)
    products: npt.NDArray[np.float64] = (details[0] * details[1]).sum(axis=1)
    return np.divide(products, norms, out=np.zeros_like(products), where=norms > 0)


def mark_duplicates(index: pd.DataFrame) -> pd.DataFrame:
    """Keep one of several identical files: the one in test, or else the first by path.

    Returns:
        The index, with status "duplicate" and the path of the kept file as the reason of the others.

    Raises:
        UserError: If the same bytes occur under both labels.
    """
    usable = index[index["status"] == OK]
    ordered = usable.assign(in_test=usable["source_split"] == "test").sort_values(
        ["in_test", "path"], ascending=[False, True], kind="stable"
    )
    kept = ordered.groupby("sha256", sort=False)["path"].transform("first")
    _refuse_two_labels(ordered)
    surplus = kept[kept != ordered["path"]]
    marked = index.copy()
    marked.loc[surplus.index, "status"] = DUPLICATE
    marked.loc[surplus.index, "reason"] = COPY_OF + surplus
    return marked


def _refuse_two_labels(ordered: pd.DataFrame) -> None:
    first = ordered.groupby("sha256", sort=False)[["path", "label"]].transform("first")
    contradicting = ordered[first["label"] != ordered["label"]]
    if len(contradicting):
        pairs = first.loc[contradicting.index, "path"] + " = " + contradicting["path"]
        raise UserError(
            f"{len(pairs):,} images occur under both labels, byte for byte: {shorten(pairs)}. Only the source of the "
            "images can tell which label is right: remove one or both of each pair."
        )


def shorten(lines: pd.Series) -> str:
    """Return the first lines, and how many more there are."""
    shown = ", ".join(lines.head(_SHOWN))
    return shown if len(lines) <= _SHOWN else f"{shown} and {len(lines) - _SHOWN:,} more"
