"""Accounts for every image, and keeps each group on one side of the split."""

from pneumonia.pipelines.ingest.pipeline import create_pipeline

__all__ = ["create_pipeline"]
