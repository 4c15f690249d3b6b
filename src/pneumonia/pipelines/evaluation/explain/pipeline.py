"""Where the network looks."""

from kedro.pipeline import Node, Pipeline

from pneumonia.pipelines.evaluation.explain.nodes import (
    choose_gallery,
    draw_gallery,
    draw_gallery_maps,
    measure_pointing,
    read_lesions,
)


def create_pipeline() -> Pipeline:
    """Return the pipeline."""
    return Pipeline(
        [
            Node(
                func=choose_gallery,
                inputs=["predictions", "params:evaluation"],
                outputs="gallery",
                name="choose_gallery",
            ),
            Node(
                func=draw_gallery_maps,
                inputs=["pneumonia_model", "split_manifest", "pixel_store", "checked_lineage", "gallery"],
                outputs="gallery_maps",
                name="draw_gallery_maps",
            ),
            Node(
                func=draw_gallery,
                inputs="gallery_maps",
                outputs="gallery_figure",
                name="draw_gallery",
            ),
            Node(
                func=read_lesions,
                inputs=["chest_xrays", "split_manifest"],
                outputs="lesions",
                name="read_lesions",
            ),
            Node(
                func=measure_pointing,
                inputs=[
                    "pneumonia_model",
                    "split_manifest",
                    "pixel_store",
                    "lesions",
                    "checked_lineage",
                    "params:evaluation",
                ],
                outputs="pointing",
                name="measure_pointing",
            ),
        ]
    )
