"""What every reader of a recipe and of a model's lineage may rely on, checked whenever they are saved or loaded."""

from typing import Any, cast

from pydantic import ValidationError

from pneumonia.base.errors import UserError
from pneumonia.model.lineage import Lineage
from pneumonia.model.recipe import Recipe

NEEDED: dict[str, type] = {
    "versions": dict,
    "manifest_sha256": str,
    "pixels": str,
    "image_size": int,
    "resize": str,
    "class_names": list,
}


class LineageContract:
    """Refuses a lineage that does not say what its model was made from.

    Example:
    ```yaml
    model_lineage:
      type: pneumonia.datasets.RecordDataset
      filepath: data/06_models/model_lineage.json
      validator: pneumonia.model.contract.LineageContract
    ```
    """

    def validate(self, data: Any) -> Lineage:
        """Return the lineage as it is.

        Raises:
            UserError: If it is not a record, or lacks entries, which are named.
        """
        entries = data if isinstance(data, dict) else {}
        missing = [name for name, kind in NEEDED.items() if not isinstance(entries.get(name), kind)]
        if missing:
            raise UserError(
                f"The model_lineage does not say what its model was made from: {', '.join(missing)} "
                f"{'is' if len(missing) == 1 else 'are'} missing or of another kind. Put the file back as it was "
                "written, name another model by --load-versions=pneumonia_model:VERSION, or train again."
            )
        return cast(Lineage, dict(data))


class RecipeContract:
    """Gives a recipe that was saved its types again.

    Example:
    ```yaml
    training_recipe:
      type: pneumonia.datasets.RecordDataset
      filepath: data/06_models/training_recipe.json
      validator: pneumonia.model.contract.RecipeContract
    ```
    """

    def validate(self, data: Any) -> Recipe:
        """Return the recipe.

        Raises:
            UserError: If it is none of this release.
        """
        try:
            return Recipe.model_validate(data)
        except ValidationError as error:
            places = ", ".join(".".join(map(str, problem["loc"])) for problem in error.errors())
            raise UserError(
                f"The training_recipe is damaged or of another release ({places}). Make it again: kedro run "
                "--from-nodes=training.make_recipe."
            ) from error
