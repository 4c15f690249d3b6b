"""Calibration and threshold, chosen on validation."""

from pneumonia.pipelines.evaluation.decide.pipeline import create_pipeline

__all__ = ["create_pipeline"]
