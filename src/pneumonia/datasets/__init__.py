"""Catalog datasets of this project. Each is imported when a catalog entry first needs it."""

from importlib import import_module
from typing import Any

_MODULES = {
    "FigureDataset": "figure_dataset",
    "FolderDataset": "folder_dataset",
    "HtmlDataset": "text_datasets",
    "ModelDataset": "model_dataset",
    "PixelStoreDataset": "pixel_store_dataset",
    "RecordDataset": "record_dataset",
    "RunContextDataset": "run_context_dataset",
    "ServiceDataset": "service_dataset",
    "TableDataset": "table_dataset",
    "TextDataset": "text_datasets",
    "TrainingStateDataset": "training_state_dataset",
}

__all__ = list(_MODULES)


def __getattr__(name: str) -> Any:
    """Import the module of a dataset class on first use, so that listing a catalog loads no TensorFlow."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
