"""The range of the images that the model may judge."""

from kedro.pipeline import Node, Pipeline

from pneumonia.pipelines.evaluation.range.nodes import check_range, fit_image_range


def create_pipeline() -> Pipeline:
    """Return the pipeline."""
    return Pipeline(
        [
            Node(
                func=fit_image_range,
                inputs=["pneumonia_model", "split_manifest", "pixel_store", "checked_lineage", "params:evaluation"],
                outputs="image_range",
                name="fit_image_range",
            ),
            Node(
                func=check_range,
                inputs=[
                    "pneumonia_model",
                    "image_range",
                    "split_manifest",
                    "pixel_store",
                    "checked_lineage",
                    "params:evaluation",
                ],
                outputs="range_check",
                name="check_range",
            ),
        ]
    )
