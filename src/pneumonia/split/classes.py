"""How many images of each class a split has, and what each class then weighs."""

import pandas as pd

from pneumonia.base.errors import UserError
from pneumonia.base.parameters import ImbalanceParameters
from pneumonia.images.layout import SPLITS
from pneumonia.images.sites import SITE, cells_of


def count_classes(split_manifest: pd.DataFrame) -> pd.DataFrame:
    """Count images and groups of each class in each split.

    Args:
        split_manifest: One row per image, with split, label, target, group and, if there are several, site.

    Returns:
        Columns split, label, target, images, groups and share (of the split's images), by split and target; with
        several sites a row for each, and the column site.
    """
    sites = [SITE] if SITE in split_manifest else []
    counts = (
        split_manifest.groupby(["split", "label", "target", *sites])
        .agg(images=("group", "size"), groups=("group", "nunique"))
        .reset_index()
    )
    counts["share"] = (counts["images"] / counts.groupby("split")["images"].transform("sum")).round(4)
    counts["split"] = pd.Categorical(counts["split"], SPLITS, ordered=True)
    return counts.sort_values(["split", "target", *sites], ignore_index=True).astype({"split": str})


def weigh_classes(class_counts: pd.DataFrame, parameters: ImbalanceParameters) -> dict[str, float]:
    """Weigh each class in inverse proportion to its number of training images.

    The weight of class c is ``n / (2 n_c)``, so that both classes weigh the same in sum and the mean weight
    of a training image is 1. With 100 images of NORMAL and 300 of PNEUMONIA: 2.0 and 0.6667.

    With several sites, class c of site s weighs ``w_s / (2 n_sc)``: the classes are balanced within each site, so that
    the site says nothing about the class. ``w_s`` is the site's share of all images, ``n / k`` for each of k sites
    ("equal") or its own number ``n_s`` ("by_size").

    Args:
        class_counts: Columns split, label, images and, if there are several, site.
        parameters: ``treatment`` "none" gives all images the weight 1; ``sites`` says what the sites weigh.

    Returns:
        Weight by label; with several sites by site and label, as `cells_of` names them.

    Raises:
        UserError: If a site has training images of only one class: its images would tell the class by their site.
    """
    train = class_counts[class_counts["split"] == "train"]
    images = train.set_index(cells_of(train))["images"]
    if parameters.treatment == "none":
        return {str(cell): 1.0 for cell in images.index}
    if SITE not in train:
        return {str(label): float(images.sum() / (2 * n)) for label, n in images.items()}
    by_site = train.groupby(SITE)["images"].agg(["sum", "size"])
    if (by_site["size"] < 2).any():
        raise UserError(
            f"Site {by_site['size'].idxmin()} has training images of only one class, so a network could learn the site "
            "instead of the disease. Add images of the other class, or leave the site out."
        )
    shares = by_site["sum"] if parameters.sites == "by_size" else by_site["sum"] * 0 + images.sum() / len(by_site)
    weights = train[SITE].map(shares).to_numpy() / (2 * images.to_numpy())
    return {str(cell): float(weight) for cell, weight in zip(images.index, weights, strict=True)}
