"""Decodes each image once; a figure shows a batch as training sees it."""

from pneumonia.pipelines.inputs.pipeline import create_pipeline

__all__ = ["create_pipeline"]
