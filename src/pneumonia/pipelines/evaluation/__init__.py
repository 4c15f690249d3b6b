"""Predictions, decision, metrics with intervals, audits, maps, and the report."""

from pneumonia.pipelines.evaluation.pipeline import create_pipeline

__all__ = ["create_pipeline"]
