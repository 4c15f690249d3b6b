"""What every reader of a recipe and of a model's lineage may rely on, checked whenever they are saved or loaded."""

from typing import Any, ClassVar

from pydantic import BaseModel

from pneumonia.base.contract import RecordContract, TypedContract
from pneumonia.model.recipe import Recipe


class _Lineage(BaseModel):
    versions: dict[str, Any]
    manifest_sha256: str
    pixels: str
    image_size: int
    resize: str
    class_names: list[str]


class LineageContract(RecordContract):
    """Refuses a lineage that does not say what its model was made from.

    Example:
    ```yaml
    model_lineage:
      type: pneumonia.datasets.RecordDataset
      filepath: data/06_models/model_lineage.json
      validator: pneumonia.model.contract.LineageContract
    ```
    """

    name: ClassVar[str] = "record model_lineage"
    layout = _Lineage
    remedy: ClassVar[str] = "name another model by --load-versions=pneumonia_model:VERSION, or train again"


class RecipeContract(TypedContract):
    """Gives a recipe that was saved its types again.

    Example:
    ```yaml
    training_recipe:
      type: pneumonia.datasets.RecordDataset
      filepath: data/06_models/training_recipe.json
      validator: pneumonia.model.contract.RecipeContract
    ```
    """

    name: ClassVar[str] = "record training_recipe"
    layout = Recipe
    remedy: ClassVar[str] = "or make it again: kedro run --from-nodes=training.make_recipe"
