"""A trained model on labelled images from elsewhere: model, calibration and threshold do not change."""

from pneumonia.pipelines.external.pipeline import create_pipeline

__all__ = ["create_pipeline"]
