"""How many images each class has, and what an image of each class weighs in the loss."""

from pneumonia.pipelines.imbalance.pipeline import create_pipeline

__all__ = ["create_pipeline"]
