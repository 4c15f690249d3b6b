import inspect

import pytest

from pneumonia.datasets import HtmlDataset, TextDataset

# A page is shown without drawings and line breaks between tags; their blank lines would end it.
PAGE = "<main>\n<p>1\n2</p>\n\n<p>3<svg><rect/>\n</svg></p></main>"
CARD = "---\nlicense: none\n---\n# Grüße\n\n**a < b**\n"


@pytest.mark.parametrize(
    ("dataset_class", "name", "text", "preview"),
    [
        (TextDataset, "summary.txt", "add_1  (a < b)\n", "<pre>add\u02cd1  (a &lt; b)\n</pre>"),
        (TextDataset, "card.md", CARD, "# Grüße\n\n**a &lt; b**\n"),
        (HtmlDataset, "report.html", PAGE, "<main> <p>1\n2</p> <p>3  </p> </main>"),
    ],
)
def test_text_comes_back_as_it_was_and_is_shown_as_its_kind(tmp_path, dataset_class, name, text, preview):
    dataset = dataset_class(filepath=str(tmp_path / name))
    dataset.save(text)

    assert dataset.load() == text
    assert dataset.preview() == preview


@pytest.mark.parametrize("dataset_class", [TextDataset, HtmlDataset])
def test_the_preview_is_of_a_type_that_kedro_viz_shows(dataset_class):
    assert inspect.signature(dataset_class.preview).return_annotation.__name__ == "HTMLPreview"
