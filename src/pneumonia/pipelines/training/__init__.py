"""The network, its training and the curves."""

from pneumonia.pipelines.training.pipeline import create_pipeline, describe_model

__all__ = ["create_pipeline", "describe_model"]
