"""The network's probability of every image that is judged."""

from pneumonia.pipelines.evaluation.score.pipeline import create_pipeline

__all__ = ["create_pipeline"]
