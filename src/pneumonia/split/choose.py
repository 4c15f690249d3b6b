"""Splitting by groups, stratified by class and etiology, drawn by a seed.

Groups are put into the part, or taken out again, whenever that lowers

    sum over strata s of (v_s - f n_s)^2 / n_s,

where the strata are the classes and, within them, the etiologies, n_s is the number of images of stratum s, v_s how
many of them are in the part, and f the fraction demanded. They are gone through in the order of SHA-256(seed:group),
which does not depend on the order of files, on the machine or on other groups, until no group lowers it any more.
With many small groups, the part ends within an image or two of the demand in every stratum.

`StratifiedGroupKFold` of scikit-learn is as exact: on 4,580 published train images in 3,236 groups, over 10 seeds, no
stratum of a fifth or a tenth was further from the demand than 0.6 and 0.7 images with it, 0.4 and 0.3 here (under 0.1
points). But it cuts into k equal parts, where `ingest.val_fraction` and `ingest.test_fraction` may be any share,
and leaves no least number of groups of a class over.
"""

import hashlib
import math
from collections import Counter
from collections.abc import Mapping

from pneumonia.base.errors import UserError

# Class and etiology.
Stratum = tuple[str, str]
Groups = Mapping[str, Counter[Stratum]]

# Smaller gains are rounding errors.
_LEAST_GAIN = 1e-9


def draw_order(name: str, seed: int) -> str:
    """Return a key to sort by that depends on name and seed alone, and looks random."""
    return hashlib.sha256(f"{seed}:{name}".encode()).hexdigest()


def choose_groups(groups: Groups, fraction: float, seed: int, keep: int, part: str) -> set[str]:
    """Choose whole groups that hold a fraction of the images of every class and etiology.

    Args:
        groups: Number of images by stratum, by group.
        fraction: Share of the images to choose, above 0 and below 1.
        seed: Another seed chooses other groups.
        keep: Least number of groups of each class that must be left over.
        part: What the chosen groups are for, for error messages.

    Returns:
        The chosen groups: at least one of each class.

    Raises:
        UserError: If a class has too few groups, or one group is larger than what either part may hold.

    Example with three groups of one class: of 10 images, 2 are demanded, and group "c" alone comes nearest.

    >>> normal = ("NORMAL", "none")
    >>> sizes = {"a": 5, "b": 4, "c": 1}
    >>> choose_groups({g: Counter({normal: n}) for g, n in sizes.items()}, 0.2, seed=1, keep=1, part="val")
    {'c'}
    """
    _refuse_impossible(groups, fraction, keep, part)
    strata = {group: _with_classes(counts) for group, counts in groups.items()}
    totals: Counter[Stratum] = Counter()
    for counts in strata.values():
        totals.update(counts)
    left = Counter(label for counts in groups.values() for label in _labels(counts))
    order = sorted(groups, key=lambda group: draw_order(group, seed))
    chosen: set[str] = set()
    excess = {stratum: -fraction * total for stratum, total in totals.items()}

    def toggle(group: str, sign: int) -> None:
        (chosen.add if sign > 0 else chosen.remove)(group)
        for label in _labels(groups[group]):
            left[label] -= sign
        for stratum, count in strata[group].items():
            excess[stratum] += sign * count

    def may_go(group: str) -> bool:
        return group not in chosen and all(left[label] > keep for label in _labels(groups[group]))

    def gain(group: str, sign: int) -> float:
        # (e + g)^2 - e^2 = g (g + 2 e), for a group of g images that comes (+) or goes (-).
        return -sum(n * (n + 2 * sign * excess[stratum]) / totals[stratum] for stratum, n in strata[group].items())

    is_settled = False
    while not is_settled:
        is_settled = True
        for group in order:
            sign = -1 if group in chosen else 1
            if (sign < 0 or may_go(group)) and gain(group, sign) > _LEAST_GAIN:
                toggle(group, sign)
                is_settled = False
    for label in sorted(left):
        if not any(label in _labels(groups[group]) for group in chosen):
            candidates = [group for group in order if label in _labels(groups[group]) and may_go(group)]
            toggle(min(candidates, key=lambda group: groups[group].total()), 1)
    return chosen


def _refuse_impossible(groups: Groups, fraction: float, keep: int, part: str) -> None:
    """Refuse what no choice of whole groups can fulfil."""
    for label in sorted({label for strata in groups.values() for label in _labels(strata)}):
        sizes = {group: _size(strata, label) for group, strata in groups.items() if label in _labels(strata)}
        if len(sizes) <= keep:
            raise UserError(
                f"Class {label} has {len(sizes)} groups, but {part} needs one of its own and {keep} must be left "
                "for the other splits. More groups are needed (see ingest.group_by and ingest.group_patterns)."
            )
        images = sum(sizes.values())
        largest = max(sorted(sizes), key=sizes.__getitem__)
        most = math.ceil(max(fraction, 1 - fraction) * images)
        if sizes[largest] > most:
            raise UserError(
                f"Group {largest} holds {sizes[largest]:,} of the {images:,} images of class {label}, more than either "
                f"side of {part} ({fraction:.0%}) may hold ({most:,}). Ask for another fraction, or group otherwise "
                "(ingest.group_by)."
            )


def _with_classes(counts: Counter[Stratum]) -> Counter[Stratum]:
    """Return the images by class and etiology, and by class alone."""
    classes: Counter[Stratum] = Counter()
    for (label, _), count in counts.items():
        classes[label, ""] += count
    return counts + classes


def _labels(strata: Counter[Stratum]) -> set[str]:
    return {label for label, _ in strata}


def _size(strata: Counter[Stratum], label: str) -> int:
    return sum(count for (name, _), count in strata.items() if name == label)
