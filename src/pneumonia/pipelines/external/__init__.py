"""A trained model on labelled images of another place: model, calibration and threshold stay as they are."""

from pneumonia.pipelines.external.pipeline import create_pipeline

__all__ = ["create_pipeline"]
