"""What a newcomer meets who gives a wrong path, name, version or file: one message that says what to do.

Runs are started as `kedro run` starts them, in this process; those that need a signal or a limit, in one of their own.
"""

import os
import re
import resource
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from tests.conftest import kedro

from pneumonia.base.errors import UserError
from pneumonia.datasets import PixelStoreDataset
from pneumonia.images.cache import IndexCache
from pneumonia.pixels.request import PixelRequest


@pytest.fixture(scope="module")
def images(tmp_path_factory, tiny_images):
    """The tiny images as a folder whose name has a space and an umlaut, below a folder of class folders."""
    folder = tmp_path_factory.mktemp("first hour") / "Röntgen bilder"
    for name, content in tiny_images.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


@pytest.fixture(scope="module")
def ingested(tmp_path_factory, copy_project, images):
    """A checkout in which the tiny images were ingested."""
    folder = copy_project(tmp_path_factory.mktemp("ingested") / "checkout")
    run(folder, "ingest", images=images)
    return folder


@pytest.fixture
def checkout_of_mine(ingested, tmp_path):
    """A copy of that checkout, to spoil."""
    return shutil.copytree(ingested, tmp_path / "checkout")


def run(folder, pipeline, *, env=None, images=None, **selection):
    """Run a pipeline as `kedro run` does."""
    bootstrap_project(folder)
    with KedroSession.create(
        folder, env=env, runtime_params=None if images is None else {"images": str(images)}
    ) as session:
        session.run(pipeline_names=[pipeline], **selection)


def message_of(folder, pipeline, **settings):
    """Run a pipeline, and return the one message that it ends with."""
    with pytest.raises(UserError) as raised:
        run(folder, pipeline, **settings)
    return raised.value.message


def newest(folder, name):
    """The newest file of a versioned dataset."""
    return max(folder.glob(f"data/*/{name}/*/{name}"))


def test_a_path_with_a_space_and_an_umlaut_is_read(ingested):
    assert newest(ingested, "split_manifest.csv").read_text(encoding="utf-8").count("\n") == 41


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        (["read_me.txt"], r"There is no image file at .*train, val and test .*--params=images=PATH"),
        (["healthy/1.png", "ill/2.png"], r"class folders there: healthy, ill\..*ingest\.class_names=healthy/ill"),
        (["A/NORMAL/1.png", "B/PNEUMONIA/2.png"], r"not at the top, but below A, B\. Call splits train, val and test"),
        (["1.png", "2.png"], r"class folders there: none\. Name the folder above"),
        (["NORMAL/1.png", "PNEUMONIA/read_me.txt"], r"no usable image of class PNEUMONIA.*ingest\.class_names"),
    ],
)
def test_images_in_another_layout_are_refused_with_what_was_found(ingested, tmp_path, tiny_images, layout, message):
    pictures = iter(tiny_images.values())
    for name in layout:
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(next(pictures) if name.endswith(".png") else b"text")
    before = sorted((ingested / "data").rglob("split_manifest.csv"))

    parameters = {"runtime_params": {"images": str(tmp_path / "images"), "ingest": {"max_rejected": 1.0}}}
    bootstrap_project(ingested)
    with KedroSession.create(ingested, **parameters) as session, pytest.raises(UserError, match=message):
        session.run(pipeline_names=["ingest"])
    assert sorted((ingested / "data").rglob("split_manifest.csv")) == before


def test_a_file_that_is_no_zip_is_refused(ingested, tmp_path):
    picture = tmp_path / "notes.txt"
    picture.write_text("no archive")

    assert "Name the folder of the images, or their zip" in message_of(ingested, "ingest", images=picture)


@pytest.mark.skipif(find_spec("s3fs") is not None, reason="s3fs is installed and would connect")
def test_an_address_whose_package_is_missing_names_the_package(ingested):
    assert "Install s3fs" in message_of(ingested, "ingest", images="s3://bucket/chest_xray")


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--pipelines=trainig", "Error: There is no pipeline trainig. Did you mean training?"),
        ("--pipeline=trainig", "Error: There is no pipeline trainig. Did you mean training?"),
        ("--tags=trainig", "Error: --tags: there is no trainig in the default run. Did you mean"),
        (
            "--load-versions=split:2026",
            "Error: --load-versions: there is no split in the default run. Did you mean",
        ),
    ],
)
def test_a_misspelt_name_ends_a_run_in_a_sentence(project, option, message):
    ended = kedro(project, "run", option)

    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1].startswith(message)
    assert "Traceback" not in ended.stdout + ended.stderr


def test_a_broken_parameters_file_ends_a_run_in_a_sentence(tmp_path, copy_project):
    folder = copy_project(tmp_path / "checkout")
    (folder / "conf/local").mkdir(exist_ok=True)
    (folder / "conf/local/parameters.yml").write_text("training:\n\tepochs: 3\n", encoding="utf-8")

    ended = kedro(folder, "run", "--pipelines=ingest")
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1].startswith(
        f"Error: {folder}/conf/local/parameters.yml cannot be read at line 2: "
    )
    assert "Traceback" not in ended.stdout + ended.stderr


@pytest.mark.skipif(os.name == "nt", reason="Windows reads every name in Unicode")
def test_a_run_that_would_misread_names_is_refused_in_a_sentence(project, images):
    ended = subprocess.run(
        [Path(sys.executable).with_name("kedro"), "run", "--pipelines=ingest", f"--params=images={images}"],
        cwd=project,
        capture_output=True,
        text=True,
        env={**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0"},
    )

    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1].startswith("Error: File names are read as ascii here")
    assert "Traceback" not in ended.stderr


def test_an_unknown_environment_is_named_with_those_there_are(ingested):
    message = message_of(ingested, "ingest", env="dmeo")

    assert message.startswith("There is no environment dmeo in ")
    assert message.endswith("Known: base, demo, local, notes.")


@pytest.mark.parametrize(
    ("pipeline", "version", "message"),
    [
        ("imbalance", "split_manifest:2020", "There is no version 2020 of split_manifest. The newest: 20"),
        (
            "ingest",
            "split_manifest:2020",
            "This run makes split_manifest again, so version 2020 of it cannot be loaded",
        ),
        ("imbalance", "index_cache:2020", "index_cache has no versions"),
        ("imbalance", "metrics:2020", "This run does not read metrics: leave it out of --load-versions."),
    ],
)
def test_a_version_that_cannot_be_loaded_is_refused(ingested, images, pipeline, version, message):
    bootstrap_project(ingested)
    name, _, stamp = version.partition(":")
    with KedroSession.create(ingested) as session, pytest.raises(UserError) as raised:
        session.run(pipeline_names=[pipeline], load_versions={name: stamp})
    assert raised.value.message.startswith(message)


def test_a_pipeline_whose_input_was_never_made_names_the_command(tmp_path, copy_project):
    message = message_of(copy_project(tmp_path / "empty"), "inputs")

    assert message == "There is no split_manifest yet; make it with: kedro run --pipelines=ingest --params=images=PATH."


def test_a_comparison_before_any_evaluation_names_the_command(tmp_path, copy_project):
    message = message_of(copy_project(tmp_path / "empty"), "comparison")

    assert message == ("No run of this environment is complete. Make one with: kedro run --pipelines=evaluation.")


def test_a_manifest_that_was_cut_is_refused_by_whatever_reads_it(checkout_of_mine):
    manifest = newest(checkout_of_mine, "split_manifest.csv")
    manifest.write_bytes(manifest.read_bytes()[:-100])

    message = message_of(checkout_of_mine, "imbalance")
    assert message.startswith(f"{manifest} has changed since it was written: it was truncated or edited.")
    assert not list(checkout_of_mine.glob("data/04_feature/*.json"))


def test_a_data_folder_that_cannot_be_made_is_named(checkout_of_mine, images):
    former = newest(checkout_of_mine, "split_manifest.csv").read_bytes()
    shutil.rmtree(checkout_of_mine / "data/02_intermediate")
    (checkout_of_mine / "data/02_intermediate").write_text("a file, where a folder should be")

    message = message_of(checkout_of_mine, "ingest", images=images)
    assert "data/02_intermediate" in message
    assert re.search("File exists|Not a directory", message)
    assert newest(checkout_of_mine, "split_manifest.csv").read_bytes() == former


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write everything")
@pytest.mark.parametrize("path", ["data/03_primary/split_manifest.csv", "data/04_feature"])
def test_a_closed_folder_is_named_with_what_to_do(checkout_of_mine, path):
    (checkout_of_mine / path).mkdir(exist_ok=True)
    (checkout_of_mine / path).chmod(0o500 if path.endswith("feature") else 0)
    try:
        message = message_of(checkout_of_mine, "imbalance")
    finally:
        (checkout_of_mine / path).chmod(0o700)
    assert path in message


@pytest.mark.parametrize(("kilobytes", "written"), [(8, "index_cache.sqlite"), (24, "split.png")])
def test_a_run_that_cannot_write_any_more_says_so_and_loses_nothing(checkout_of_mine, images, kilobytes, written):
    manifest = newest(checkout_of_mine, "split_manifest.csv")
    former = manifest.read_bytes()
    shutil.rmtree(checkout_of_mine / "data/02_intermediate")

    process = subprocess.run(
        [Path(sys.executable).with_name("kedro"), "run", "--pipelines=ingest", f"--params=images={images}"],
        cwd=checkout_of_mine,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (kilobytes * 1024, kilobytes * 1024)),
    )

    assert process.returncode == 1, process.stderr
    assert written in process.stderr.splitlines()[-1]
    assert process.stderr.splitlines()[-1].startswith("Error: ")
    assert "Traceback" not in process.stdout + process.stderr
    assert manifest.read_bytes() == former


class Interrupted:
    """Images whose reading Ctrl-C interrupts at the one with a given number in the listing."""

    def __init__(self, source, at=None):
        self.listing, self.identity, self.read_paths = source.listing, source.identity, []
        self._source, self._at = source, at

    def read(self, path):
        if self._at is not None and path == self.listing.files[self._at].path:
            raise KeyboardInterrupt
        self.read_paths.append(path)
        return self._source.read(path)


@pytest.mark.parametrize(("at", "kept"), [(0, 0), (16, 16), (35, 32)])
def test_an_interrupted_reading_goes_on_where_it_was(images, tmp_path, default_parameters, at, kept):
    """Images are examined and kept in order, 16 at a time, however fast the threads are."""
    from pneumonia.base.parameters import IngestParameters
    from pneumonia.images.index import examine_files
    from pneumonia.images.source import ImageSource

    parameters = IngestParameters.model_validate(default_parameters["ingest"])
    cache = IndexCache(tmp_path / "cache.sqlite")
    with pytest.raises(UserError, match=rf" {kept} of 40 images.* resumes"):
        examine_files(Interrupted(ImageSource(str(images)), at), cache, parameters)

    second = Interrupted(ImageSource(str(images)))
    assert len(examine_files(second, cache, parameters)) == 40
    assert len(second.read_paths) == 40 - kept


def test_an_interrupted_decoding_leaves_a_store_that_goes_on(tiny_images, tiny_manifest, tmp_path):
    def press(_):
        raise KeyboardInterrupt

    dataset = PixelStoreDataset(filepath=str(tmp_path))
    request = {
        "paths": tuple(tiny_manifest["path"]),
        "sha256s": tuple(tiny_manifest["sha256"]),
        "image_size": 32,
        "resize": "squeeze",
    }
    with pytest.raises(UserError, match=r"Interrupted\. Complete parts .* are kept; the same command resumes"):
        dataset.save(PixelRequest(**request, read=press))

    dataset.save(PixelRequest(**request, read=tiny_images.__getitem__))
    assert len(dataset.load().open(32, "squeeze")) == 40
