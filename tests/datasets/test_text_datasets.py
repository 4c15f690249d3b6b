import inspect

import pytest

from pneumonia.datasets import HtmlDataset, TextDataset


def test_text_comes_back_as_it_was(tmp_path):
    dataset = TextDataset(filepath=str(tmp_path / "card.md"))
    dataset.save("# Grüße\n")

    assert dataset.load() == "# Grüße\n"


def test_a_page_comes_back_as_it_was(tmp_path):
    dataset = HtmlDataset(filepath=str(tmp_path / "report.html"))
    dataset.save("<p>1 < 2</p>")

    assert dataset.load() == "<p>1 < 2</p>"


def test_the_preview_of_a_text_is_preformatted(tmp_path):
    dataset = TextDataset(filepath=str(tmp_path / "summary.txt"))
    dataset.save("add_1  (a < b)\n")

    assert dataset.preview() == "<pre>add\u02cd1  (a &lt; b)\n</pre>"


def test_the_preview_of_markdown_is_markdown(tmp_path):
    dataset = TextDataset(filepath=str(tmp_path / "card.md"))
    dataset.save("---\nlicense: none\n---\n# Card\n\n**a < b**\n")

    assert dataset.preview() == "# Card\n\n**a &lt; b**\n"


def test_the_preview_of_a_page_has_no_drawings_nor_line_breaks_between_tags(tmp_path):
    dataset = HtmlDataset(filepath=str(tmp_path / "report.html"))
    dataset.save("<main>\n<p>1\n2</p>\n\n<p>3<svg><rect/>\n</svg></p></main>")

    assert dataset.preview() == "<main> <p>1\n2</p> <p>3  </p> </main>"


@pytest.mark.parametrize("dataset_class", [TextDataset, HtmlDataset])
def test_the_preview_is_of_a_type_that_kedro_viz_shows(dataset_class):
    assert inspect.signature(dataset_class.preview).return_annotation.__name__ == "HTMLPreview"
