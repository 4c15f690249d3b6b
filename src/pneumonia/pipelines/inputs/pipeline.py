"""The inputs pipeline: store the pixels, draw a batch."""

from kedro.pipeline import Pipeline

from pneumonia.pipelines import node, stage
from pneumonia.pipelines.inputs.figures import draw_batch
from pneumonia.pixels.request import request_pixels


def create_pipeline() -> Pipeline:
    """Return the pipeline."""
    return stage(
        "inputs",
        # Saving the request decodes what is not stored yet.
        node(
            request_pixels,
            ["chest_xrays", "split_manifest", "params:inputs", "params:engine"],
            "pixel_store",
            name="store_pixels",
        ),
        node(draw_batch, ["split_manifest", "pixel_store", "params:inputs", "params:training.seed"], "batch_figure"),
    )
