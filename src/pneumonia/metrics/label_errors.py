"""Which labels may be wrong: confident learning on probabilities of networks that never saw the image.

Northcutt, Jiang and Chuang, J. Artif. Intell. Res. 70 (2021). With `t_j`, the mean probability of class `j` among the
images labelled `j`, an image is counted as one of class `j` if its probability of `j` is at least `t_j`; if both are,
under the larger. Images that are counted under another class than their label are suspected.
"""

import numpy as np
import numpy.typing as npt
import pandas as pd

from pneumonia.base.annotations import Floats
from pneumonia.metrics.rates import estimate_rate
from pneumonia.metrics.registry import Targets

COUNT_COLUMNS = ["target", "n", "n_groups", "suspected", "expected", "low", "high"]


def confident_class(target: Targets, probability: Floats) -> npt.NDArray[np.int64]:
    """Return the class under which each image is counted, 0 or 1; -1 for one that is counted under none.

    Args:
        target: The label of each image, both present, `[n]`.
        probability: Of the positive class, by a network that did not see the image, `[n]`.
    """
    shares = np.stack([1 - probability, probability], axis=1)
    least = np.array([shares[target == one, one].mean() for one in (0, 1)])
    reached = np.where(shares >= least, shares, -1.0)
    return np.where(reached.max(axis=1) < 0, -1, reached.argmax(axis=1))


def count_label_errors(target: Targets, probability: Floats, groups: npt.NDArray) -> pd.DataFrame:
    """Estimate how many labels of each class are wrong: the share suspected of those counted, times the class's images.

    Args:
        target: The label of each image, both present, `[n]`.
        probability: Of the positive class, by a network that did not see the image, `[n]`.
        groups: Group of each image, `[n]`.

    Returns:
        `COUNT_COLUMNS`, one row per class: how many are suspected, and how many would be wrong if the networks were
        right wherever they are that sure, with a 95% interval over groups.
    """
    counted, rows = confident_class(target, probability), []
    for one in (0, 1):
        of_class, told = target == one, (target == one) & (counted >= 0)
        n = int(of_class.sum())
        share = estimate_rate(counted[told] == 1 - one, groups[told])
        expected = [None if bound is None else n * bound for bound in (share["value"], share["low"], share["high"])]
        suspected = int((counted[of_class] == 1 - one).sum())
        rows.append([one, n, len(np.unique(groups[of_class])), suspected, *expected])
    return pd.DataFrame(rows, columns=COUNT_COLUMNS)
