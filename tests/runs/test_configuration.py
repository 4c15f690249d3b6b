import gzip
import os
import tarfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline
from omegaconf import OmegaConf

from pneumonia import settings
from pneumonia.base.errors import UserError
from pneumonia.runs.configuration import PlainConfigLoader, check_entries


@pytest.fixture
def load(tmp_path):
    """Load one kind of configuration, with the given bytes as the user's own file."""

    def load(kind, content):
        for env in ("base", "local"):
            (tmp_path / env).mkdir()
        for usual in ("parameters", "catalog", "globals"):
            (tmp_path / f"base/{usual}.yml").write_text("usual: {a: 1}\n", encoding="utf-8")
        (tmp_path / f"local/{kind}.yml").write_bytes(content)
        return settings.CONFIG_LOADER_CLASS(str(tmp_path), **settings.CONFIG_LOADER_ARGS)[kind]

    return load


FAULTS = {
    "a key twice": (b"a: 1\na: 2\n", r" cannot be read at line 2: found duplicate key a\."),
    "a tab": (b"a:\n\tb: 3\n", r" cannot be read at line 2: found character"),
    "a list": (b"- a\n- b\n", r" does not consist of named values\."),
    "a number": (b"3\n", r" cannot be read: "),
    "Latin-1": ("a: Röntgen\n".encode("latin-1"), r" cannot be read: .*0xf6 in position 4"),
    "an open brace": (b"a: '${b'\n", r" cannot be read: "),
}


@pytest.mark.parametrize(("content", "fault"), FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("kind", ["parameters", "catalog"])
def test_a_faulty_file_is_named_in_a_sentence(load, tmp_path, kind, content, fault):
    with pytest.raises(UserError, match=f"^{tmp_path}/local/{kind}.yml{fault}.*Nothing was run\\.$"):
        load(kind, content)


def test_a_value_that_names_what_is_not_there_is_named(load, tmp_path):
    with pytest.raises(UserError, match=rf"^own\.b in {tmp_path}: .*nope.* Nothing was run\.$"):
        load("parameters", b"own: {b: '${nope}'}\n")


@pytest.mark.parametrize(
    "content",
    [b"<html>", gzip.compress(b"conf" * 1000)[:20], gzip.compress(b"conf" * 1000)],
    ids=["a page of HTML", "cut off", "no archive inside"],
)
def test_an_archive_that_is_damaged_is_named(tmp_path, content):
    (tmp_path / "conf.tar.gz").write_bytes(content)

    with pytest.raises(UserError, match=rf"^{tmp_path}/conf\.tar\.gz cannot be read .* Copy the configuration archive"):
        PlainConfigLoader(str(tmp_path / "conf.tar.gz"), **settings.CONFIG_LOADER_ARGS)


def test_a_key_in_two_files_is_named_with_both(load, tmp_path):
    (tmp_path / "local").mkdir()
    (tmp_path / "local/parameters_more.yml").write_text("own: 1\n", encoding="utf-8")
    (tmp_path / "base").mkdir()
    for env in ("base", "local"):
        (tmp_path / env / "parameters.yml").write_text("own: 1\n", encoding="utf-8")
    loader = PlainConfigLoader(str(tmp_path), **settings.CONFIG_LOADER_ARGS)

    with pytest.raises(UserError, match=r"^Duplicate keys found in .*parameters\w*\.yml and .*parameters\w*\.yml: own"):
        loader["parameters"]


@pytest.mark.parametrize("content", [b"own: {filepath: a.csv}\n", b"own: 3\n"], ids=["no type", "no entry"])
def test_an_entry_of_the_catalog_without_a_type_is_named(tmp_path, content):
    (tmp_path / "base").mkdir()
    (tmp_path / "base/catalog.yml").write_bytes(b"_a: {b: 1}\n" + content)
    loader = PlainConfigLoader(str(tmp_path), **{**settings.CONFIG_LOADER_ARGS, "default_run_env": "base"})

    with pytest.raises(UserError, match=rf"^The catalog entry own in {tmp_path} has no type\. Nothing was run\.$"):
        loader["catalog"]


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"type": "nope.Dataset"}, r"No module named 'nope'"),
        ({"type": "pneumonia.datasets.Nope"}, r"Dataset 'Nope' not found in 'pneumonia\.datasets'"),
        ({"type": "pneumonia.datasets.TextDataset", "filepth": "a"}, r".* unexpected keyword argument 'filepth'"),
        (
            {"type": "MemoryDataset", "validator": "pneumonia.nope.Contract"},
            r"No module named 'pneumonia\.nope'",
        ),
    ],
    ids=["another package", "another class", "another argument", "another validator"],
)
def test_an_entry_of_the_catalog_that_cannot_be_used_is_named(entry, reason):
    catalog = DataCatalog.from_config({"own": entry, "other": {"type": "MemoryDataset"}})
    check_entries(Pipeline([Node(list, None, "other")]), catalog)

    with pytest.raises(UserError, match=rf"^The catalog entry own cannot be used: {reason}\. Nothing was run\.$"):
        check_entries(Pipeline([Node(list, "own", "other")]), catalog)


@pytest.mark.parametrize("missing", ["read", "left"])
def test_what_a_run_reads_or_leaves_needs_an_entry(missing):
    pipeline = Pipeline([Node(list, "read", "between"), Node(pow, ["between", "params:own"], "left")])
    entries = {name: {"type": "MemoryDataset"} for name in ("read", "left")}
    check_entries(pipeline, DataCatalog.from_config(entries))
    del entries[missing]

    with pytest.raises(UserError, match=rf"^The catalog has no entry for {missing} .*\. Nothing was run\.$"):
        check_entries(pipeline, DataCatalog.from_config(entries))


def test_a_file_as_it_should_be_is_read(load):
    assert load("parameters", "\ufeffown: Röntgen\n".encode()) == {"usual": {"a": 1}, "own": "Röntgen"}


def passed_over(tmp_path, name, make):
    for env in {"base", "local"} - {name}:
        (tmp_path / env).mkdir()
    (tmp_path / "base/parameters.yml").write_text("usual: 1\n", encoding="utf-8")
    make(tmp_path / name)
    with pytest.raises(UserError, match="would be passed over") as error:
        PlainConfigLoader(str(tmp_path), **settings.CONFIG_LOADER_ARGS)
    return str(error.value)


@pytest.mark.skipif(os.name == "nt", reason="links and pipes need POSIX")
@pytest.mark.parametrize(
    ("name", "make", "fault"),
    [
        ("local/parameters.yml", lambda path: path.symlink_to("gone.yml"), "No such file or directory, a link"),
        ("local/globals.yml", lambda path: path.symlink_to("globals.yml"), "Too many levels of symbolic links, a link"),
        ("local/parameters", lambda path: path.symlink_to("gone"), "No such file or directory, a link"),
        ("local", lambda path: path.symlink_to("gone"), "No such file or directory"),
        ("local", lambda path: path.symlink_to("local"), "Too many levels of symbolic links"),
        ("base/parameters_own.yml", Path.mkdir, "is not a file"),
        ("local/catalog.yaml", os.mkfifo, "is not a file"),
        ("local/globals.yml", Path.touch, "is empty (without settings, remove it or leave a comment)"),
        ("base/parameters_own.yml", lambda path: path.write_text("\ufeff \n"), "is empty"),
    ],
)
def test_settings_that_cannot_be_read_are_not_passed_over(tmp_path, name, make, fault):
    said = passed_over(tmp_path, name, make)

    assert said.startswith(f"{tmp_path}/{name} ")
    assert fault in said


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("name", ["local", "base/parameters"])
def test_a_folder_of_settings_without_permission_is_not_passed_over(tmp_path, name):
    def close(path):
        path.mkdir()
        path.chmod(0)

    try:
        assert f"{tmp_path}/{name} cannot be read (Permission denied)" in passed_over(tmp_path, name, close)
    finally:
        (tmp_path / name).chmod(0o700)


def test_hidden_links_and_other_files_are_none_of_the_settings(tmp_path):
    (tmp_path / "local/.git").mkdir(parents=True)
    (tmp_path / "base").mkdir()
    for name in (".#parameters.yml", ".git/parameters.yml", "notes.txt"):
        (tmp_path / "local" / name).symlink_to("gone")
    (tmp_path / "base/parameters.yml").write_text("usual: 1\n", encoding="utf-8")

    assert PlainConfigLoader(str(tmp_path), **settings.CONFIG_LOADER_ARGS)["parameters"] == {"usual": 1}


def test_a_folder_whose_name_looks_like_a_pattern_is_read(tmp_path):
    conf = tmp_path / "a[1]*?" / "conf"
    for env in ("base", "local"):
        (conf / env).mkdir(parents=True)
        (conf / env / "parameters_own.yml").write_text(f"{env}: 1\n", encoding="utf-8")

    loader = PlainConfigLoader(str(conf), **settings.CONFIG_LOADER_ARGS)
    assert loader["parameters"] == {"base": 1, "local": 1}


def test_one_kind_of_file_is_read_from_an_archive_without_an_environment(tmp_path):
    (tmp_path / "logging.yml").write_text("version: 1\n", encoding="utf-8")
    with tarfile.open(tmp_path / "conf.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "logging.yml", "conf/logging.yml")

    loader = PlainConfigLoader(str(tmp_path / "conf.tar.gz"), config_patterns={"logging": ["logging.yml"]})
    assert loader["logging"] == {"version": 1}


def test_two_runs_that_are_read_at_once_are_each_given_their_own_images(tmp_path):
    def pause():
        if threading.current_thread() is not threading.main_thread():
            first_is_read.set()
            second_was_read.wait(timeout=1)

    def load(images):
        images = {"images": images}
        loader = PlainConfigLoader(str(tmp_path), base_env="base", default_run_env="local", runtime_params=images)
        return loader["catalog"]["source"]["path"]

    for env in ("base", "local"):
        (tmp_path / env).mkdir()
    path = "${globals:root}/${runtime_params:images}"
    (tmp_path / "base/catalog.yml").write_text(f"source: {{type: '${{pause:}}', path: '{path}'}}\n")
    (tmp_path / "base/globals.yml").write_text("root: data\n")
    first_is_read, second_was_read = threading.Event(), threading.Event()
    OmegaConf.register_new_resolver("pause", pause)
    try:
        with ThreadPoolExecutor() as pool:
            first = pool.submit(load, "first")
            first_is_read.wait(timeout=600)
            second = load("second")
            second_was_read.set()
            assert (first.result(), second) == ("data/first", "data/second")
    finally:
        OmegaConf.clear_resolver("pause")
