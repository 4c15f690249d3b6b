"""The network's probability for every evaluated image."""

from pneumonia.pipelines.evaluation.score.pipeline import create_pipeline

__all__ = ["create_pipeline"]
