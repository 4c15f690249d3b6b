"""Names of heavy classes for type hints.

Kedro resolves the hints of a node at run time to build its typed parameters, so they cannot be left to a type
checker alone; and importing TensorFlow or Matplotlib for a hint would make every `kedro` command slow.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keras import Model
    from matplotlib.figure import Figure
else:
    Figure = Model = Any

__all__ = ["Figure", "Model"]
