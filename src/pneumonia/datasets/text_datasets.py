"""Text files: Markdown, and HTML that kedro-viz can show."""

from pathlib import Path
from typing import NewType

from kedro_datasets.text import TextDataset as _TextDataset

from pneumonia.files import write_whole

HTMLPreview = NewType("HTMLPreview", str)


class TextDataset(_TextDataset):
    """Saves text whole or not at all. Local files only.

    Example:
    ```yaml
    model_card:
      type: pneumonia.datasets.TextDataset
      filepath: data/08_reporting/model_card.md
      versioned: true
    ```
    """

    def save(self, data: str) -> None:
        """Save the text as UTF-8."""
        write_whole(Path(self._get_save_path()), data.encode())

    def load(self) -> str:
        """Load the text."""
        return Path(self._get_load_path()).read_text(encoding="utf-8")


class HtmlDataset(TextDataset):
    """A self-contained HTML page.

    Example:
    ```yaml
    report:
      type: pneumonia.datasets.HtmlDataset
      filepath: data/08_reporting/report.html
      versioned: true
    ```
    """
