"""A trained model in formats that other programs run, behind a gate that compares it with the original."""

from pneumonia.pipelines.export.pipeline import create_pipeline

__all__ = ["create_pipeline"]
