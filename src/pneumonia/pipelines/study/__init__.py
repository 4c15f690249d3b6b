"""Recipes compared over seeds and folds."""

from pneumonia.pipelines.study.pipeline import create_pipeline

__all__ = ["create_pipeline"]
