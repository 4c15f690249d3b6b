"""Catalog datasets of this project."""

from pneumonia.datasets.file_datasets import FigureDataset, FolderDataset, ModelDataset
from pneumonia.datasets.handle_datasets import (
    PixelStoreDataset,
    RunContextDataset,
    ServiceDataset,
    TrainingStateDataset,
)
from pneumonia.datasets.text_datasets import HtmlDataset, RecordDataset, TableDataset, TextDataset

__all__ = [
    "FigureDataset",
    "FolderDataset",
    "HtmlDataset",
    "ModelDataset",
    "PixelStoreDataset",
    "RecordDataset",
    "RunContextDataset",
    "ServiceDataset",
    "TableDataset",
    "TextDataset",
    "TrainingStateDataset",
]
