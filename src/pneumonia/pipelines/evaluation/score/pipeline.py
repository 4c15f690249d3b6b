"""From images to scores."""

from kedro.pipeline import Node, Pipeline

from pneumonia.pipelines.evaluation.score.nodes import check_model, score_images, score_train_sample


def create_pipeline() -> Pipeline:
    """Return the pipeline."""
    return Pipeline(
        [
            Node(
                func=check_model,
                inputs=["pneumonia_model", "model_lineage", "split_manifest", "pixel_store"],
                outputs="checked_lineage",
                name="check_model",
            ),
            Node(
                func=score_images,
                inputs=["pneumonia_model", "split_manifest", "pixel_store", "checked_lineage", "params:evaluation"],
                outputs="scores",
                name="score_images",
            ),
            Node(
                func=score_train_sample,
                inputs=["pneumonia_model", "split_manifest", "pixel_store", "checked_lineage", "params:evaluation"],
                outputs="train_scores",
                name="score_train_sample",
            ),
        ]
    )
