"""The lineage of an adapted model: its parent's, with what was changed and on which images."""

from typing import Any, cast

import pandas as pd

from pneumonia.adaptation.plan import NEW, TRAIN
from pneumonia.base.annotations import Model
from pneumonia.base.environment import RunContext
from pneumonia.base.parameters import AdaptationParameters
from pneumonia.model.lineage import ADAPTED_COLUMNS, Lineage, adapted_to, check_weights, weights_digest

BOUND_ON = 1  # the fold whose images help to set the bound of the model's range


def make_adapted_lineage(
    parent_lineage: Lineage,
    pneumonia_model: Model,
    adaptation_plan: pd.DataFrame,
    adaptation_facts: dict[str, Any],
    run_context: RunContext,
    parameters: AdaptationParameters,
) -> Lineage:
    """Return the parent's lineage with what differs; `adaptation` names the parent, the place and its images.

    Split, classes, image size and etiologies are the parent's: so the model is evaluated on the parent's test images.
    """
    new = adaptation_plan[adaptation_plan["split"] == NEW]
    images = new.assign(split=(new["fold"] == BOUND_ON).map({True: "val", False: "train"}))
    versions = {**parent_lineage["versions"], **run_context["versions"]}
    return {
        **parent_lineage,
        "run_id": run_context["run_id"],
        "commit": run_context["commit"],
        "versions": versions,
        **cast(Lineage, adaptation_facts),
        "weights_sha256": weights_digest(pneumonia_model),
        "adaptation": {
            "parent": versions["parent_model"],
            "parent_weights_sha256": parent_lineage["weights_sha256"],
            "place": str(new["place"].iloc[0]),
            "n": len(new),
            "n_groups": int(new["group"].nunique()),
            "n_positive": int(new["target"].sum()),
            "rehearsed": int((adaptation_plan["split"] == TRAIN).sum()) if parameters.rehearsal else 0,
            "parameters": parameters.model_dump(mode="json"),
            "images": pd.concat([adapted_to(parent_lineage), images])[list(ADAPTED_COLUMNS)].to_dict("records"),
        },
    }


def check_adapted(pneumonia_model: Model, model_lineage: Lineage) -> Lineage:
    """Return the lineage of an adapted model, which marks that what follows belongs to this model.

    Raises:
        UserError: If it is that of another model.
    """
    check_weights(model_lineage, pneumonia_model, "model_lineage")
    return model_lineage
