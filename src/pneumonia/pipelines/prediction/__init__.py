"""New images without labels, scored by a trained model."""

from pneumonia.pipelines.prediction.pipeline import create_pipeline

__all__ = ["create_pipeline"]
