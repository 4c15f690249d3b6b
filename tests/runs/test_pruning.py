import json
import os
import shutil

import pytest
from click.testing import CliRunner
from kedro.framework.project import configure_project
from tests.base.test_files import WRONG

from pneumonia.base.errors import UserError
from pneumonia.base.files import PART, write_with_checksum
from pneumonia.runs.pruning import choose_removable, find_all_versions, remove, summarise_versions

A, A2, B, B2, B9, C, D, E, F, Z = (f"2026-01-{n:02}T00.00.00.000Z" for n in range(1, 11))

CATALOG = {
    "split_manifest": {"filepath": "data/split_manifest.csv", "versioned": True},
    "pneumonia_model": {"filepath": "data/pneumonia_model.keras", "versioned": True},
    "model_lineage": {"filepath": "data/model_lineage.json", "versioned": True},
    "run_record": {"filepath": "data/run_record.json", "versioned": True},
    "image_index": {"filepath": "data/image_index.csv"},
    "_anchor": "not a dataset",
}

OUTPUTS = {
    "ingest": {"split_manifest", "leak_audit"},
    "imbalance": {"class_weights", "class_counts"},
    "training": {"pneumonia_model", "model_lineage"},
}


def test_a_folder_is_a_whole_version_too(tmp_path):
    (tmp_path / f"data/exported/{A}/exported/saved_model").mkdir(parents=True)
    (tmp_path / f"data/exported/{B}").mkdir()
    (tmp_path / f"data/exported/{A}/exported/saved_model/file").write_bytes(b"12345")

    found = find_all_versions({"exported_model": {"filepath": "data/exported", "versioned": True}}, tmp_path)
    assert found[["version", "bytes", "is_whole"]].to_dict("list") == {
        "version": [B, A],
        "bytes": [0, 5],
        "is_whole": [False, True],
    }


@pytest.fixture
def saved(tmp_path):
    """A project with four versions: manifest a; a model on it, b; a manifest, c; a record, d, of the model b."""
    import hashlib

    def write(name, version, content):
        path = tmp_path / "data" / name / version / name
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
        return path

    write("split_manifest.csv", A, b"first")
    write("pneumonia_model.keras", B, b"a model")
    lineage = {"manifest_sha256": hashlib.sha256(b"first").hexdigest()}
    write("model_lineage.json", B, json.dumps(lineage).encode())
    write("split_manifest.csv", C, b"other")
    write("run_record.json", D, json.dumps({"versions": {"pneumonia_model": B}}).encode())
    (tmp_path / "data" / "image_index.csv").write_text("not versioned")
    return tmp_path


def add_model(saved, version):
    """Add a newer model, made from a manifest that is gone."""
    for name, content in (("pneumonia_model.keras", "a model"), ("model_lineage.json", '{"manifest_sha256": "gone"}')):
        (saved / "data" / name / version).mkdir()
        (saved / "data" / name / version / name).write_text(content)


def test_every_version_is_found_with_its_size_the_newest_first(saved):
    found = find_all_versions(CATALOG, saved)

    assert found["version"].tolist() == [D, C, B, B, A]
    assert found["dataset"].tolist() == [
        "run_record", "split_manifest", "model_lineage", "pneumonia_model", "split_manifest",
    ]  # fmt: skip
    assert found["bytes"].tolist()[1] == len("other")


def test_the_summary_has_a_row_per_version_and_names_the_main_datasets(saved):
    summary = summarise_versions(find_all_versions(CATALOG, saved))

    assert summary["version"].tolist() == [D, C, B, A]
    assert summary["holds"].tolist() == ["", "split_manifest", "pneumonia_model", "split_manifest"]


def test_the_manifest_of_a_kept_model_and_the_model_of_a_kept_record_stay(saved):
    add_model(saved, E)

    assert choose_removable(find_all_versions(CATALOG, saved), keep=1, outputs=OUTPUTS, running={}).empty


def test_what_no_kept_version_was_made_from_goes(saved):
    add_model(saved, E)
    (saved / f"data/run_record.json/{F}").mkdir()
    (saved / f"data/run_record.json/{F}/run_record.json").write_text(json.dumps({"versions": {"pneumonia_model": E}}))
    old = choose_removable(find_all_versions(CATALOG, saved), keep=1, outputs=OUTPUTS, running={})

    assert sorted(zip(old["dataset"], old["version"], strict=True)) == [
        ("model_lineage", B), ("pneumonia_model", B), ("split_manifest", A),
    ]  # fmt: skip
    remove(old["path"])
    assert find_all_versions(CATALOG, saved)["version"].tolist() == [F, E, E, D, C]
    assert (saved / "data/image_index.csv").exists()


def test_what_the_stages_made_beside_the_sources_of_a_kept_model_stays(saved):
    catalog = CATALOG | {
        name: {"filepath": f"data/{name}.csv", "versioned": True}
        for name in ("leak_audit", "class_weights", "class_counts")
    }
    lineage = saved / f"data/model_lineage.json/{B}/model_lineage.json"
    lineage.write_text(json.dumps(json.loads(lineage.read_text()) | {"versions": {"class_weights": A}}))
    for name in ("leak_audit", "class_weights", "class_counts"):
        for version in (A, A2, C):
            path = saved / "data" / f"{name}.csv" / version / f"{name}.csv"
            path.parent.mkdir(parents=True)
            path.write_text(version)

    old = choose_removable(find_all_versions(catalog, saved), keep=1, outputs=OUTPUTS, running={})

    assert sorted(zip(old["dataset"], old["version"], strict=True)) == [
        ("class_counts", A2), ("class_weights", A2), ("leak_audit", A2),
    ]  # fmt: skip


@pytest.mark.parametrize("left", [(), ("split_manifest.csv.sha256",)])
def test_what_a_killed_run_left_is_no_version_and_goes(saved, left):
    add_model(saved, E)
    (saved / f"data/run_record.json/{D}/run_record.json").write_text(json.dumps({"versions": {"pneumonia_model": E}}))
    litter = saved / f"data/split_manifest.csv/{B9}"
    litter.mkdir()
    for name in left:
        (litter / name).write_text("")
    old = choose_removable(find_all_versions(CATALOG, saved), keep=1, outputs=OUTPUTS, running={})

    assert sorted(zip(old["dataset"], old["version"], strict=True)) == [
        ("model_lineage", B), ("pneumonia_model", B), ("split_manifest", A), ("split_manifest", B9),
    ]  # fmt: skip


def test_a_version_that_may_be_being_written_stays(saved):
    (saved / f"data/split_manifest.csv/{Z}").mkdir()
    (saved / f"data/pneumonia_model.keras/{Z}").mkdir()

    assert choose_removable(find_all_versions(CATALOG, saved), keep=1, outputs=OUTPUTS, running={}).empty


def test_of_equal_manifests_that_a_model_needs_the_newest_stays(saved):
    folder = saved / "data/split_manifest.csv"
    for version, content in ((B2, b"first"), (Z, b"newest")):
        (folder / version).mkdir()
        (folder / version / "split_manifest.csv").write_bytes(content)
    old = choose_removable(find_all_versions(CATALOG, saved), keep=1, outputs=OUTPUTS, running={})

    assert sorted(old["version"]) == [A, C]


def test_as_many_versions_as_asked_for_stay(saved):
    assert choose_removable(find_all_versions(CATALOG, saved), keep=2, outputs=OUTPUTS, running={}).empty


def test_what_a_run_in_progress_reads_or_has_made_stays(saved):
    add_model(saved, E)
    (saved / f"data/run_record.json/{D}/run_record.json").write_text(json.dumps({"versions": {"pneumonia_model": E}}))
    versions = find_all_versions(CATALOG, saved)

    def removable(running):
        old = choose_removable(versions, keep=1, outputs=OUTPUTS, running=running)
        return sorted(zip(old["dataset"], old["version"], strict=True))

    model = [("model_lineage", B), ("pneumonia_model", B)]
    assert removable({}) == [*model, ("split_manifest", A)]
    assert removable({Z: [("split_manifest", A)]}) == model
    assert removable({Z: [("pneumonia_model", B)]}) == []  # with what it was made from
    assert removable({B: []}) == [("split_manifest", A)]


def test_where_nothing_is_saved_nothing_can_go(tmp_path):
    assert choose_removable(find_all_versions(CATALOG, tmp_path), keep=1, outputs=OUTPUTS, running={}).empty


def test_copies_beside_the_versions_are_neither_counted_nor_removed(saved):
    for name in ("split_manifest.csv", "model_lineage.json", "run_record.json"):
        (version,) = [folder for folder in (saved / "data" / name).iterdir() if folder.name in (C, B, D)]
        for copy in (f"backup of {name}", f"{version.name} (copy)", "2026-12-31"):
            shutil.copytree(version, version.with_name(copy))
    (saved / f"data/split_manifest.csv/{B}").mkdir()
    (saved / f"data/split_manifest.csv/{B}/mine.csv").write_text("no file of a killed run")
    add_model(saved, E)
    (saved / f"data/run_record.json/{D}/run_record.json").write_text(json.dumps({"versions": {"pneumonia_model": E}}))

    old = choose_removable(find_all_versions(CATALOG, saved), keep=1, outputs=OUTPUTS, running={})
    assert sorted(zip(old["dataset"], old["version"], strict=True)) == [
        ("model_lineage", B), ("pneumonia_model", B), ("split_manifest", A),
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["run_record", "model_lineage"])
@pytest.mark.parametrize(
    "content", [b"{cut", b"", b"[]", b"{}", b"1", b'{"versions": 3}', b'{"versions": {"pneumonia_model": ["x"]}}']
)
def test_a_damaged_record_stops_the_pruning_before_anything_is_removed(saved, name, content):
    version = D if name == "run_record" else B
    (saved / f"data/{name}.json/{version}/{name}.json").write_bytes(content)

    with pytest.raises(UserError, match=f"{name}.json/{version} has no complete record .* Nothing was removed"):
        choose_removable(find_all_versions(CATALOG, saved), keep=1, outputs=OUTPUTS, running={})


def test_an_edited_record_stops_the_pruning_too(saved):
    path = saved / f"data/run_record.json/{D}/run_record.json"
    write_with_checksum(path, path.read_bytes())
    path.write_bytes(path.read_bytes().replace(B.encode(), A.encode()))

    with pytest.raises(UserError, match="has changed since it was written.* Nothing was removed"):
        choose_removable(find_all_versions(CATALOG, saved), keep=1, outputs=OUTPUTS, running={})


@pytest.mark.parametrize("make", [make for name, make in WRONG.items() if name != "a folder"])
@pytest.mark.parametrize("place", ["run_record.json", f"run_record.json/{D}"])
def test_what_cannot_be_read_stops_the_pruning_before_anything_is_removed(saved, place, make):
    (saved / "data" / place).rename(saved / "moved")
    make(saved / "data" / place)

    with pytest.raises(UserError, match=f"Nothing was removed. .*{place}"):
        find_all_versions(CATALOG, saved)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("place", ["run_record.json", f"run_record.json/{D}", f"run_record.json/{D}/run_record.json"])
def test_what_may_not_be_read_stops_the_pruning(saved, place):
    (saved / "data" / place).chmod(0)
    try:
        with pytest.raises(UserError, match="Nothing was removed"):
            choose_removable(find_all_versions(CATALOG, saved), keep=1, outputs=OUTPUTS, running={})
    finally:
        (saved / "data" / place).chmod(0o700)


def test_the_commands_find_the_versions_of_an_environment(copy_project, tmp_path, monkeypatch):
    from pneumonia import cli

    folder = copy_project(tmp_path / "checkout")
    monkeypatch.chdir(folder)
    for name in ("report.html", "roc.png"):  # one catalog entry stands for all figures
        path = folder / "data/demo/08_reporting" / name / "2026-01-01T00.00.00.000Z" / name
        path.parent.mkdir(parents=True)
        path.write_text("x" * 1_000_000)

    listed = CliRunner().invoke(cli.cli, ["versions", "list", "--env=demo"]).output
    assert listed.splitlines()[1].split() == ["2026-01-01T00.00.00.000Z", "2.0", "2", "report"]


def test_that_nothing_is_saved_yet_is_said(tmp_path, monkeypatch):
    from pneumonia import cli

    monkeypatch.setattr(cli, "_find", lambda env: (find_all_versions(CATALOG, tmp_path), tmp_path))
    assert CliRunner().invoke(cli.cli, ["versions", "list"]).output == "Nothing is saved yet.\n"


def test_what_cannot_be_removed_is_named(saved, monkeypatch):
    from pneumonia import cli
    from pneumonia.runs import pruning

    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    add_model(saved, E)
    (saved / f"data/run_record.json/{D}/run_record.json").write_text(json.dumps({"versions": {}}))
    monkeypatch.setattr(cli, "_find", lambda env: (find_all_versions(CATALOG, saved), saved))
    monkeypatch.setattr(pruning.shutil, "rmtree", refuse)
    configure_project("pneumonia")
    result = CliRunner().invoke(cli.cli, ["versions", "prune", "--keep=1", "--yes"])

    assert result.exit_code == 1
    assert "Permission denied" in result.output


def test_the_commands_list_ask_and_remove(saved, monkeypatch):
    from pneumonia import cli

    add_model(saved, E)
    (saved / f"data/run_record.json/{D}/run_record.json").write_text(json.dumps({"versions": {}}))
    monkeypatch.setattr(cli, "_find", lambda env: (find_all_versions(CATALOG, saved), saved))
    runner = CliRunner()

    listed = runner.invoke(cli.cli, ["versions", "list"])
    assert listed.exit_code == 0
    assert "5 versions" in listed.output
    declined = runner.invoke(cli.cli, ["versions", "prune", "--keep=1"], input="n\n")
    assert declined.exit_code == 1
    assert len(find_all_versions(CATALOG, saved)) == 7
    pruned = runner.invoke(cli.cli, ["versions", "prune", "--keep=1", "--yes"])
    assert pruned.exit_code == 0
    assert sorted(find_all_versions(CATALOG, saved)["version"]) == [C, D, E, E]
    assert "Nothing to remove." in runner.invoke(cli.cli, ["versions", "prune", "--keep=1"]).output


def test_what_a_killed_run_left_outside_of_old_versions_is_removed_too(copy_project, tmp_path, monkeypatch):
    from pneumonia import cli

    folder = copy_project(tmp_path / "checkout")
    monkeypatch.chdir(folder)
    left = [
        folder / f"data/demo/{place}/{PART}{name}"
        for place, name in (
            ("06_models/study", "a.json"),
            ("06_models/training_state", "b.npz"),
            ("01_raw", "images/x"),
        )
    ]
    for path in left:
        path.parent.mkdir(parents=True)
        path.write_bytes(b"half")
    for path in (*left, left[-1].parent):
        os.utime(path, (0, 0))
    (folder / "data/demo/06_models/study/whole.json").write_text("{}")
    new = folder / f"data/demo/06_models/study/{PART}new.json"
    new.write_bytes(b"half")

    pruned = CliRunner().invoke(cli.cli, ["versions", "prune", "--keep=1", "--env=demo"], input="y\n")
    assert "Remove these 0 datasets and 3 unfinished files from killed runs (0.0 MB) permanently?" in pruned.output
    kept = [path.name for path in (folder / "data/demo").rglob("*") if path.is_file()]
    assert sorted(kept) == [new.name, "whole.json"]
    assert not left[-1].parent.exists()
