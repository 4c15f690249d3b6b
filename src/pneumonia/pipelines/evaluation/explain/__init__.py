"""Where the network looks."""

from pneumonia.pipelines.evaluation.explain.pipeline import create_pipeline

__all__ = ["create_pipeline"]
