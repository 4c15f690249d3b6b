"""Every image accounted for, and no group on two sides of a split."""

from pneumonia.pipelines.ingest.pipeline import create_pipeline

__all__ = ["create_pipeline"]
