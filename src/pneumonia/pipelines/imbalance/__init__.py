"""How many images each class has, and the weight of each class in the loss."""

from pneumonia.pipelines.imbalance.pipeline import create_pipeline

__all__ = ["create_pipeline"]
