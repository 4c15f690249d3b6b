import json
import zipfile

import pytest
from click.testing import CliRunner

from pneumonia.errors import UserError
from pneumonia.versions import choose_removable, find_versions, remove, summarise_versions

CATALOG = {
    "split_manifest": {"filepath": "data/split_manifest.csv", "versioned": True},
    "pneumonia_model": {"filepath": "data/pneumonia_model.keras", "versioned": True},
    "run_record": {"filepath": "data/run_record.json", "versioned": True},
    "image_index": {"filepath": "data/image_index.csv"},
    "_anchor": "not a dataset",
}


@pytest.fixture
def project(tmp_path):
    """A project with four versions: manifest a; a model on it, b; a manifest, c; a record, d, of the model b."""
    import hashlib

    def write(name, version, content):
        path = tmp_path / "data" / name / version / name
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
        return path

    write("split_manifest.csv", "a", b"first")
    model = write("pneumonia_model.keras", "b", b"")
    with zipfile.ZipFile(model, "w") as archive:
        archive.writestr("lineage.json", json.dumps({"manifest_sha256": hashlib.sha256(b"first").hexdigest()}))
    write("split_manifest.csv", "c", b"other")
    write("run_record.json", "d", json.dumps({"versions": {"pneumonia_model": "b"}}).encode())
    (tmp_path / "data" / "image_index.csv").write_text("not versioned")
    return tmp_path


def add_model(project, version):
    """A newer model, made from a manifest that is gone."""
    folder = project / "data/pneumonia_model.keras" / version
    folder.mkdir()
    with zipfile.ZipFile(folder / "pneumonia_model.keras", "w") as archive:
        archive.writestr("lineage.json", json.dumps({"manifest_sha256": "gone"}))


def test_every_version_is_found_with_its_size_the_newest_first(project):
    found = find_versions(CATALOG, project)

    assert found["version"].tolist() == ["d", "c", "b", "a"]
    assert found["dataset"].tolist() == ["run_record", "split_manifest", "pneumonia_model", "split_manifest"]
    assert found["bytes"].tolist()[1] == len("other")


def test_the_summary_has_a_row_a_version_and_names_the_main_datasets(project):
    summary = summarise_versions(find_versions(CATALOG, project))

    assert summary["version"].tolist() == ["d", "c", "b", "a"]
    assert summary["holds"].tolist() == ["", "split_manifest", "pneumonia_model", "split_manifest"]


def test_the_manifest_of_a_kept_model_and_the_model_of_a_kept_record_stay(project):
    add_model(project, "e")

    assert choose_removable(find_versions(CATALOG, project), keep=1).empty


def test_what_no_kept_version_was_made_from_goes(project):
    add_model(project, "e")
    (project / "data/run_record.json/f").mkdir()
    (project / "data/run_record.json/f/run_record.json").write_text(json.dumps({"versions": {"pneumonia_model": "e"}}))
    old = choose_removable(find_versions(CATALOG, project), keep=1)

    assert sorted(zip(old["dataset"], old["version"], strict=True)) == [
        ("pneumonia_model", "b"), ("run_record", "d"), ("split_manifest", "a"),
    ]  # fmt: skip
    remove(old)
    assert find_versions(CATALOG, project)["version"].tolist() == ["f", "e", "c"]
    assert (project / "data/image_index.csv").exists()


def test_as_many_versions_as_asked_for_stay(project):
    assert choose_removable(find_versions(CATALOG, project), keep=2).empty


def test_a_damaged_model_stops_the_pruning_before_anything_is_removed(project):
    (project / "data/pneumonia_model.keras/b/pneumonia_model.keras").write_bytes(b"cut")

    with pytest.raises(UserError, match="Nothing was removed"):
        choose_removable(find_versions(CATALOG, project), keep=1)


def test_the_commands_list_ask_and_remove(project, monkeypatch):
    from pneumonia import cli

    add_model(project, "e")
    (project / "data/run_record.json/d/run_record.json").write_text(json.dumps({"versions": {}}))
    monkeypatch.setattr(cli, "_find", lambda env: find_versions(CATALOG, project))
    runner = CliRunner()

    listed = runner.invoke(cli.cli, ["versions", "list"])
    assert listed.exit_code == 0
    assert "5 versions" in listed.output
    declined = runner.invoke(cli.cli, ["versions", "prune", "--keep=1"], input="n\n")
    assert declined.exit_code == 1
    assert len(find_versions(CATALOG, project)) == 5
    pruned = runner.invoke(cli.cli, ["versions", "prune", "--keep=1", "--yes"])
    assert pruned.exit_code == 0
    assert sorted(find_versions(CATALOG, project)["version"]) == ["c", "d", "e"]
    assert "Nothing to remove." in runner.invoke(cli.cli, ["versions", "prune", "--keep=1"]).output
