"""Images that a model knows: those of its own train, validation and test, found again elsewhere."""

from typing import TypedDict

import pandas as pd

from pneumonia.audits.external import Origin, list_items
from pneumonia.audits.shortcuts import shrink
from pneumonia.base.errors import UserError
from pneumonia.base.parameters import ExternalParameters, IngestParameters
from pneumonia.images.duplicates import correlate_details
from pneumonia.images.perceptual_hash import SIDE, near_pairs
from pneumonia.images.source import ImageSource
from pneumonia.images.status import OK
from pneumonia.metrics.operating_points import name_place
from pneumonia.model.lineage import Lineage, adapted_to, check_lineage, manifest_digest
from pneumonia.model.predict import open_pixels
from pneumonia.pixels.decoding import ReadingSettings
from pneumonia.pixels.store import PixelStore, PixelStores, pixel_keys
from pneumonia.predictor.reading import Item, read_pixels, reading_of

KNOWN = "known"
KNOWN_COLUMNS = ["path", "known", "same_bytes", "bits", "correlation"]


class OwnImages(TypedDict):
    """Images that are the model's own, by split; `checked` is false if the manifest is another model's."""

    checked: bool
    by_split: dict[str, int]


def list_known(split_manifest: pd.DataFrame, image_index: pd.DataFrame, model_lineage: Lineage) -> pd.DataFrame:
    """List the images that the model was trained, validated and tested on, those of places it was adapted to included.

    Returns:
        path, sha256, split, group, bits and perceptual_hash (empty where it is not known).

    Raises:
        UserError: If the manifest is not the model's.
    """
    check_lineage(model_lineage, split_manifest)
    hashes = image_index.drop_duplicates("sha256").set_index("sha256")["perceptual_hash"]
    known = split_manifest.reindex(columns=["path", "sha256", "split", "group", "bits"], fill_value=0)
    known = known.assign(perceptual_hash=known["sha256"].map(hashes).fillna(""))
    earlier = adapted_to(model_lineage).reindex(columns=known.columns, fill_value=0).assign(split="train")
    return pd.concat([known, earlier], ignore_index=True)


def refuse_known(
    external_files: pd.DataFrame,
    external_images: ImageSource,
    known_images: pd.DataFrame,
    pixel_store: PixelStores,
    model_lineage: Lineage,
    parameters: IngestParameters,
) -> pd.DataFrame:
    """Take the model's own images out of the test, found by bytes and by pixels.

    Args:
        external_files: The index of the images.
        external_images: Where they are.
        known_images: As `list_known` gives them.
        pixel_store: Has the pixels of these.
        model_lineage: How the pixels were decoded.
        parameters: When two images are the same.

    Raises:
        UserError: If nothing else is left.
    """
    usable = external_files[external_files["status"] == OK]
    store, how = open_pixels(pixel_store, model_lineage), reading_of(model_lineage)
    found = find_known(usable, list_items(external_images, usable), known_images, store, how, parameters)
    return mark_known(external_files, found)


def find_known(
    images: pd.DataFrame,
    items: dict[str, Item],
    known: pd.DataFrame,
    pixel_store: PixelStore,
    how: ReadingSettings,
    parameters: IngestParameters,
) -> pd.DataFrame:
    """Find a model's own images among others, by their bytes and by hash and pixels.

    Args:
        images: path, sha256 and perceptual_hash of the images to look at.
        items: How to read them, by path.
        known: path, sha256, split, bits and perceptual_hash (empty if unknown) of the model's images.
        pixel_store: Has the pixels of the model's images.
        how: How these were decoded.
        parameters: Largest number of bits in which the hashes may differ, smallest correlation of the pixels.

    Returns:
        path, known (the path of the model's image), same_bytes, bits, correlation: at most one row per image.
    """
    path_of = dict(zip(known["sha256"], known["path"], strict=True))
    same = images[images["sha256"].isin(path_of.keys())]
    rows = [(path, path_of[sha256], True, 0, 1.0) for path, sha256 in same[["path", "sha256"]].itertuples(index=False)]
    rest = images[~images["sha256"].isin(path_of.keys()) & (images["perceptual_hash"] != "")].reset_index(drop=True)
    hashed = known[(known["perceptual_hash"] != "") & pixel_store.has(pixel_keys(known))].reset_index(drop=True)
    hashes, others = rest["perceptual_hash"].tolist(), hashed["perceptual_hash"].tolist()
    pairs = near_pairs(hashes, others, parameters.near_duplicate_bits)
    if len(pairs):
        one = read_pixels([items[path] for path in rest.loc[pairs[:, 0], "path"]], how)
        other = pixel_store.read(pixel_store.rows(pixel_keys(hashed.loc[pairs[:, 1]])))
        correlation = correlate_details(shrink(one, SIDE), shrink(other, SIDE))
        for (row, place, bits), value in zip(pairs, correlation, strict=True):
            if value >= parameters.near_duplicate_correlation:
                rows.append((rest["path"][row], hashed["path"][place], False, int(bits), round(float(value), 4)))
    found = pd.DataFrame(rows, columns=KNOWN_COLUMNS).sort_values(["path", "correlation"], ascending=[True, False])
    return found.drop_duplicates("path", ignore_index=True)


def mark_known(external_files: pd.DataFrame, found: pd.DataFrame) -> pd.DataFrame:
    """Exclude the model's own images from the test.

    Args:
        external_files: The index of the images.
        found: As `find_known` gives them.

    Returns:
        The index, with the status "known" and the model's image as the reason.

    Raises:
        UserError: If nothing else is left.
    """
    by_path = dict(zip(found["path"], found["known"], strict=True))
    is_known = external_files["path"].isin(by_path.keys())
    marked = external_files.copy()
    marked.loc[is_known, "status"] = KNOWN
    marked.loc[is_known, "reason"] = [
        f"the model's own: {by_path[path]}" for path in external_files.loc[is_known, "path"]
    ]
    usable = marked[marked["status"] == OK]
    if usable["label"].nunique() < 2:
        counts = ", ".join(f"{count:,} {status}" for status, count in marked["status"].value_counts().items())
        advice = (
            " Images that the model was trained, validated or tested on are no test from elsewhere; to adapt an "
            "earlier model to them again, name it by --load-versions=pneumonia_model:VERSION."
        )
        raise UserError(
            f"A test or an adaptation needs usable images of both classes; of {len(marked):,} files these remain: "
            f"{usable['label'].value_counts().to_dict() or 'none'} ({counts}).{advice if is_known.any() else ''}"
        )
    return marked


def describe_origin(
    external_index: pd.DataFrame,
    known_images: pd.DataFrame,
    external_images: ImageSource,
    external: ExternalParameters,
) -> Origin:
    """Name the place that the images come from, and count those that may be of patients of the model's own images.

    Their group is called like a group of the model's own, or has an image that was refused as the model's own. A group
    that is called like its only image's path names no patient.

    Returns:
        `place`, and `shared`: `images` and `groups` of those that are used.
    """
    named = known_images["group"][known_images["group"] != known_images["path"]]
    refused = external_index["group"][external_index["status"] == KNOWN]
    used = external_index[(external_index["status"] == OK) & (external_index["group"] != external_index["path"])]
    shared = used["group"][used["group"].isin(named) | used["group"].isin(refused)]
    place = name_place(external.place, external_images.name)
    return {"place": place, "shared": {"images": len(shared), "groups": shared.nunique()}}


def count_own(new_predictions: pd.DataFrame, split_manifest: pd.DataFrame, model_lineage: Lineage) -> OwnImages:
    """Count new images that are, byte for byte, the model's own.

    Returns:
        `checked`: false if the manifest is another model's; `by_split`: their number in each split that has any.
    """
    if model_lineage["manifest_sha256"] != manifest_digest(split_manifest):
        return {"checked": False, "by_split": {}}
    own = pd.concat([split_manifest, adapted_to(model_lineage).assign(split="train")])
    split_of = own.drop_duplicates("sha256").set_index("sha256")["split"]
    counts = new_predictions["sha256"].map(split_of).value_counts()
    found = {split: int(counts[split]) for split in ("train", "val", "test") if split in counts}
    return {"checked": True, "by_split": found}
