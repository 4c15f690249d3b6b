"""What is looked at of a node's inputs before it runs: whether they belong together, and which images are scored."""

from collections.abc import Collection, Mapping
from typing import Any

from pneumonia.images.status import OK
from pneumonia.model.lineage import check_lineage, check_weights

# By a lineage: its model, and its manifest where the lineage was checked against one.
_BELONG: dict[str, tuple[str, str | None]] = {
    "checked_lineage": ("pneumonia_model", "split_manifest"),
    "model_lineage": ("pneumonia_model", None),
    "parent_lineage": ("parent_model", None),
}

JUDGING_SPLITS = ("test", "new")  # "new" are the images of another place that judge an adaptation by cross-fitting
# The nodes that let a model score images of test or of another place, by the table that lists the images.
SCORING_NODES = {
    **dict.fromkeys(
        (
            *(f"evaluation.{name}" for name in ("score_images", "hide_regions", "damage_images", "probe_sites")),
            *(f"evaluation.{name}" for name in ("draw_gallery_maps", "measure_pointing", "compare_maps")),
            *("evaluation.check_range", "adaptation.score_own", "adaptation.score_own_before", "export.measure_parity"),
        ),
        "split_manifest",
    ),
    "adaptation.adapt": "adaptation_plan",
    "external.predict_external": "external_index",
}  # `predict_images`, which lists no images before it reads them, notes them itself


def refuse_foreign(inputs: Mapping[str, Any], read: Collection[str]) -> None:
    """Refuse a model or manifest that is not the one of the lineage beside it.

    An evaluation begins with this; here it is done for a run that begins later, with what others have saved.

    Args:
        inputs: What a node reads, by name.
        read: What the run reads of earlier ones.

    Raises:
        UserError: Naming the two that differ.
    """
    for lineage in _BELONG.keys() & inputs.keys() & set(read):
        model, manifest = _BELONG[lineage]
        if model in inputs:
            check_weights(inputs[lineage], inputs[model], lineage)
        if manifest and manifest in inputs:
            check_lineage(inputs[lineage], inputs[manifest])


def scored_images(node: str, tables: Mapping[str, Any]) -> list[str]:
    """Return the hashes of the images that a node lets a model score, where one of the tables lists them.

    Of a manifest these are the test images, of an adaptation's plan those of the new place that judge it, of an index
    those that are used.
    """
    table = tables.get(SCORING_NODES.get(node, ""))
    if table is None:
        return []
    if "status" in table:
        table = table[table["status"] == OK]
    elif "split" in table:
        table = table[table["split"].isin(JUDGING_SPLITS)]
    return list(table["sha256"])
