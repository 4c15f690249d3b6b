"""Text files: Markdown, and HTML that kedro-viz can show."""

import re
from html import escape
from pathlib import Path

from kedro_datasets._typing import HTMLPreview
from kedro_datasets.text import TextDataset as _TextDataset

from pneumonia.base.errors import UserError
from pneumonia.base.files import read_as_written, write_with_checksum
from pneumonia.datasets.kept import Kept
from pneumonia.runs.errors import plainly

# kedro-viz reads _a_ as emphasis, even in preformatted text; this character looks the same.
LOW_LINE = "\N{MODIFIER LETTER LOW MACRON}"
FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
# kedro-viz leaves out the style sheet that drawings need, and would show line breaks between tags.
UNSHOWN = re.compile(r"<svg.*?</svg>|(?<=>)\s*(?=<)", re.DOTALL)


class TextDataset(Kept, _TextDataset):
    """Saves text whole or not at all, with its checksum. Local files only.

    Example:
    ```yaml
    model_card:
      type: pneumonia.datasets.TextDataset
      filepath: data/08_reporting/model_card.md
      versioned: true
    ```
    """

    @plainly
    def save(self, data: str) -> None:
        """Save the text as UTF-8."""
        write_with_checksum(Path(self._get_save_path()), data.encode())

    @plainly
    def load(self) -> str:
        """Load the text.

        Raises:
            UserError: If the file has changed since it was written, or is no text.
        """
        path = Path(self._get_load_path())
        try:
            return read_as_written(path).decode()
        except UnicodeError as error:
            raise UserError(f"{path} is damaged ({error}). Remove it and run the pipeline that makes it.") from error

    def preview(self) -> HTMLPreview:
        """Return the text for kedro-viz, which renders Markdown."""
        text = escape(self.load(), quote=False).replace("_", LOW_LINE)
        if self._filepath.suffix == ".md":
            return HTMLPreview(FRONT_MATTER.sub("", text))
        return HTMLPreview(f"<pre>{text}</pre>")


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

    def preview(self) -> HTMLPreview:
        """Return the page for kedro-viz, which shows it without its style sheet."""
        return HTMLPreview(UNSHOWN.sub(" ", self.load()))
