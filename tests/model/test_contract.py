import json

import pytest
from kedro.io import DataCatalog

from pneumonia.base.errors import UserError
from pneumonia.model.contract import LineageContract

NEEDED = {name: field.annotation() for name, field in LineageContract.layout.model_fields.items()}


@pytest.fixture
def load(tmp_path, catalog_entries):
    """Load a lineage as a run does, from a file with this content and no checksum."""

    def load(content):
        (tmp_path / "model_lineage.json").write_text(content)
        entry = {**catalog_entries["model_lineage"], "filepath": str(tmp_path / "model_lineage.json")}
        return DataCatalog.from_config({"model_lineage": {**entry, "versioned": False}}).load("model_lineage")

    return load


OF_OTHER_KINDS = json.dumps({**NEEDED, "image_size": "224"})


@pytest.mark.parametrize("content", ["[]", "{}", "1", "null", '{"versions": {}}', OF_OTHER_KINDS])
def test_a_lineage_that_says_nothing_of_its_model_ends_a_run_in_a_sentence(load, content):
    with pytest.raises(Exception, match="model_lineage .*train again") as end:
        load(content)
    assert isinstance(end.value.__cause__, UserError)


def test_a_whole_lineage_is_kept_as_it_is(tmp_path):
    lineage = {**NEEDED, "more": 1}
    assert LineageContract().validate(lineage) == lineage
