"""Text that a spreadsheet would compute: users choose the names of files and groups."""

# First characters that make Excel, LibreOffice and Google Sheets compute a cell (OWASP, "CSV injection"), and the
# apostrophe that prevents it.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "'")


def disarm(text: str) -> str:
    """Put an apostrophe before text that begins as a formula does, or with an apostrophe itself."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
