"""Names for type hints: arrays, and heavy classes.

Kedro resolves a node's hints at run time to build its typed parameters, so a class cannot be imported for type checking
only; but importing TensorFlow or Matplotlib for a hint would make every `kedro` command slow.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from keras import Model
    from matplotlib.figure import Figure
else:
    Figure = Model = Any

Floats = npt.NDArray[np.float64]
Pixels = npt.NDArray[np.uint8]

__all__ = ["Figure", "Floats", "Model", "Pixels"]
