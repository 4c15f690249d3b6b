"""The table of docs/reporting-standards.md: what it says is filled from a dataset is in the documents that it names."""

import re

import pytest

TEMPLATES = {
    "card": ["model_card.md"],
    "report": ["report.html", "abstention.html", "framing.html", "sites.html", "usefulness.html"],
}


@pytest.fixture(scope="module")
def rows(project):
    text = (project / "docs/reporting-standards.md").read_text()
    table = text[text.index("| item |") : text.index("\n\n", text.index("| item |"))]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines()[2:]]


@pytest.fixture(scope="module")
def texts(project):
    """What each document is made from: its templates, and the modules whose sentences both hold."""
    folder = project / "src/pneumonia/report"
    sentences = "".join((folder / f"{name}.py").read_text() for name in ("findings", "limits", "provenance"))
    return {
        name: "".join((folder / "templates" / file).read_text() for file in files) + sentences
        for name, files in TEMPLATES.items()
    }


def test_every_item_says_what_it_is_filled_from_and_where(rows):
    assert len(rows) == 43
    for row in rows:
        assert len(row) == 3, row
        assert re.fullmatch(r"–|external report|card|report|card, report", row[2]), row
        assert "person" in row[1] or "`" in row[1], row


def test_every_dataset_that_it_names_is_used_in_the_document_that_it_names(rows, texts, catalog_entries):
    for item, filled_from, where in rows:
        named = [name for name in re.findall(r"`([a-z_]+)`", filled_from) if name in catalog_entries]
        unknown = set(re.findall(r"`([a-z]+_[a-z_]+)`", filled_from)) - set(named)
        assert not unknown, f"{item}: {unknown}"
        for name in named:
            places = [place for place in where.split(", ") if place in texts]
            assert places, item
            # A figure or another table stands for what it is drawn or chosen from.
            for place in places:
                assert re.search(rf"\b{SHOWN_AS.get(name, name)}\b", texts[place]), (item, name, place)


SHOWN_AS = {"gallery": "gallery_maps", "predictions": "roc_figure", "train_predictions": "score_figure"}
SHOWN_AS |= {"decision_curve": "decision_curve_figure"}
