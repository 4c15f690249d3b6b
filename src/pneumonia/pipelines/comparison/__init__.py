"""All runs of an environment side by side."""

from pneumonia.pipelines.comparison.pipeline import create_pipeline

__all__ = ["create_pipeline"]
