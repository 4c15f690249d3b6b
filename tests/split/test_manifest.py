import pandas as pd
import pytest
from kedro.io import DataCatalog
from kedro.validation.exceptions import DataValidationError

from pneumonia.split.manifest import ManifestContract, ManifestError


def manifest():
    """Two images of each class in each split."""
    rows = [
        (f"{split}/{label}/{n}.jpeg", label, target, etiology, f"{label}-{split}-{n}", split, split, 1000, 80, 64, "L")
        for split in ("test", "train", "val")
        for label, target, etiology in (("NORMAL", 0, "none"), ("PNEUMONIA", 1, "virus"))
        for n in (0, 1)
    ]
    columns = [
        "path",
        "label",
        "target",
        "etiology",
        "group",
        "split",
        "source_split",
        "bytes",
        "width",
        "height",
        "mode",
    ]
    table = pd.DataFrame(rows, columns=columns)
    table.insert(7, "sha256", [f"{n:064x}" for n in range(len(table))])
    return table


def change(**values):
    """A manifest whose first rows are changed."""
    table = manifest()
    for name, value in values.items():
        table[name] = table[name].astype(object)
        table.loc[0, name] = value
        table[name] = table[name].infer_objects()
    return table


def test_a_sound_manifest_passes_as_it_is():
    table = manifest()

    assert ManifestContract().validate(table) is table


def test_a_manifest_may_tell_of_some_patients_and_not_of_others():
    table = change().assign(age=["3", ""] * 6, sex="", device="A Scanner")

    assert ManifestContract().validate(table) is table


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (change(group="NORMAL-val-0"), r"a group is in two splits \(2 rows, such as NORMAL-val-0\)"),
        (change(sha256=f"{5:064x}"), "the same bytes occur twice"),
        (change(path="val/NORMAL/0.jpeg"), "a path occurs twice"),
        (manifest().query("not (split == 'val' and target == 1)"), "val has images of 1 of the 2 classes"),
        (manifest().query("split != 'test'"), "test has images of 0 of the 2 classes"),
        (manifest().drop(columns="mode"), "its columns are"),
        (manifest().assign(note="x"), "its columns are"),
        (change(label=None), "label has gaps, first in row 0"),
        (change(group=""), "group has gaps, first in row 0"),
        (change(group=7), "group is of type .*, not text alone"),
        (manifest().assign(width=80.5), "width is of type float64, not of whole numbers"),
        (manifest().assign(bytes="1000"), "bytes is of type .*, not of whole numbers"),
        (change(split="holdout"), "split is none of"),
        (change(etiology="fungus"), r"etiology is none of .*\(1 rows, such as fungus\)"),
        (change(etiology="virus"), "the etiology contradicts the target"),
        (change(sha256="abc"), r"sha256 is no SHA-256 \(1 rows, such as abc\)"),
        (change(height=0), "height is not positive"),
        (change(label="PNEUMONIA"), "label and target are not one to one"),
        (manifest().assign(target=0), "label and target are not one to one"),
        ({"not": "a table"}, "it is a dict, not a table"),
    ],
)
def test_a_manifest_that_breaks_the_contract_is_refused(table, message):
    with pytest.raises(ManifestError, match=message):
        ManifestContract().validate(table)


@pytest.fixture
def catalog(tmp_path, project):
    """A catalog with the entry as delivered, except for its location."""
    import yaml

    text = (project / "conf/base/catalog_ingest.yml").read_text().replace("${globals:root}", str(tmp_path))
    entry = yaml.safe_load(text)["split_manifest"]
    return DataCatalog.from_config({"split_manifest": entry})


def test_the_catalog_refuses_a_broken_manifest_on_save(catalog):
    with pytest.raises(DataValidationError, match="a group is in two splits") as raised:
        catalog.save("split_manifest", change(group="NORMAL-val-0"))
    assert isinstance(raised.value.__cause__, ManifestError)


def test_the_catalog_refuses_a_broken_manifest_on_load(catalog):
    catalog.get("split_manifest").save(change(group="NORMAL-val-0"))

    with pytest.raises(DataValidationError, match=r"a group is in two splits.*kedro run --pipelines=ingest") as raised:
        catalog.load("split_manifest")
    assert isinstance(raised.value.__cause__, ManifestError)


def test_values_that_look_like_gaps_or_numbers_survive_the_round_trip(catalog):
    table = manifest()
    table["label"] = table["label"].map({"NORMAL": "None", "PNEUMONIA": "NA"})
    table["group"] = [f"{n:03}" for n in range(len(table))]
    table["mode"] = "1"
    catalog.save("split_manifest", table)

    loaded = catalog.load("split_manifest")

    pd.testing.assert_frame_equal(loaded, table)
    assert loaded["group"].tolist()[:2] == ["000", "001"]
