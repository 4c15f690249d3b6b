"""Names of heavy classes for type hints.

Kedro resolves a node's hints at run time to build its typed parameters, so they must not be imported for type checking
only; but importing TensorFlow or Matplotlib for a hint would make every `kedro` command slow.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keras import Model
    from matplotlib.figure import Figure
else:
    Figure = Model = Any

__all__ = ["Figure", "Model"]
