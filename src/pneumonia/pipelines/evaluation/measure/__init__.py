"""Metrics with intervals, subgroups, and their figures."""

from pneumonia.pipelines.evaluation.measure.pipeline import create_pipeline

__all__ = ["create_pipeline"]
