"""A model adapted to another place, and what that changed."""

from pneumonia.pipelines.adaptation.pipeline import create_pipeline

__all__ = ["create_pipeline"]
