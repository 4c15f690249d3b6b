"""Nodes of the inputs pipeline."""

import pandas as pd

from pneumonia.base.engine import LOCAL
from pneumonia.base.parameters import EngineParameters, InputsParameters
from pneumonia.images.source import ImageSource
from pneumonia.pixels.request import PixelRequest


def store_pixels(
    chest_xrays: ImageSource,
    split_manifest: pd.DataFrame,
    parameters: InputsParameters,
    engine: EngineParameters = LOCAL,
) -> PixelRequest:
    """Request the pixels of every image of the manifest. The catalog decodes those not stored yet.

    Args:
        chest_xrays: The image files.
        split_manifest: One row per image, with path and sha256.
        parameters: Size of the pixels and resize method.
        engine: Where images are decoded.
    """
    return PixelRequest(
        paths=tuple(split_manifest["path"]),
        sha256s=tuple(split_manifest["sha256"]),
        image_size=parameters.image_size,
        resize=parameters.resize,
        read=chest_xrays.read,
        engine=engine,
        bits=tuple(split_manifest.get("bits", ())),
    )
