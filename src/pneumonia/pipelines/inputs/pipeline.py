"""The inputs pipeline: store the pixels, draw a batch."""

from kedro.pipeline import Node, Pipeline

from pneumonia.pipelines.inputs.figures import draw_batch
from pneumonia.pixels.request import request_pixels


def create_pipeline() -> Pipeline:
    """Return the pipeline."""
    return Pipeline(
        [
            Node(
                request_pixels,  # saving the request decodes what is not stored yet
                inputs=["chest_xrays", "split_manifest", "params:inputs", "params:engine"],
                outputs="pixel_store",
                name="store_pixels",
            ),
            Node(
                draw_batch,
                inputs=["split_manifest", "pixel_store", "params:inputs", "params:training.seed"],
                outputs="batch_figure",
                name="draw_batch",
            ),
        ],
        namespace="inputs",
        prefix_datasets_with_namespace=False,
        tags="inputs",
    )
