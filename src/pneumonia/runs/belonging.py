"""Whether the model and the manifest that a node reads are those of the lineage beside them."""

from collections.abc import Collection, Mapping
from typing import Any

from pneumonia.model.lineage import check_lineage, check_weights

# By a lineage: its model, and its manifest where the lineage was checked against one.
_BELONG: dict[str, tuple[str, str | None]] = {
    "checked_lineage": ("pneumonia_model", "split_manifest"),
    "model_lineage": ("pneumonia_model", None),
    "parent_lineage": ("parent_model", None),
}


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
