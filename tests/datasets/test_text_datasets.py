from pneumonia.datasets import HtmlDataset, TextDataset


def test_text_comes_back_as_it_was(tmp_path):
    dataset = TextDataset(filepath=str(tmp_path / "card.md"))
    dataset.save("# Grüße\n")

    assert dataset.load() == "# Grüße\n"


def test_a_page_comes_back_as_it_was(tmp_path):
    dataset = HtmlDataset(filepath=str(tmp_path / "report.html"))
    dataset.save("<p>1 < 2</p>")

    assert dataset.load() == "<p>1 < 2</p>"
