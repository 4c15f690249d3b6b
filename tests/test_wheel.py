"""What `kedro package` makes runs in a folder of its own, without the checkout.

The wheel is installed without its dependencies, which the tests' environment has. Building it asks the package index
for setuptools.
"""

import json
import os
import shutil
import subprocess
import sys
import zipfile

import pytest
from tests.conftest import succeed

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def packaged(tmp_path_factory, project, tiny_checkout):
    """The folder with the wheel and the configuration of a checkout that has the environment `tiny`."""
    folder = tiny_checkout(tmp_path_factory.mktemp("packaged") / "checkout")
    for name in ("README.md", "LICENSE"):
        shutil.copy(project / name, folder)
    succeed(folder, "package")
    return folder / "dist"


@pytest.fixture(scope="module")
def python(tmp_path_factory, packaged):
    """Run Python in a folder that has nothing but the configuration, with the wheel in place of the checkout."""
    away = tmp_path_factory.mktemp("away")
    site = tmp_path_factory.mktemp("site")
    shutil.copy(packaged / "conf-pneumonia.tar.gz", away)
    (wheel,) = packaged.glob("*.whl")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", site, wheel]
    subprocess.run(install, check=True)

    def run(*arguments):
        environment = {**os.environ, "PYTHONPATH": str(site), "NO_COLOR": "1"}
        return away, subprocess.run(
            [sys.executable, *arguments], cwd=away, capture_output=True, text=True, env=environment
        )

    imported = run("-c", "import pneumonia; print(pneumonia.__file__)")[1].stdout
    assert imported.startswith(str(site)), "the wheel is tested, not the checkout"
    return run


@pytest.fixture(scope="module")
def run(python):
    """Run pipelines by the documented command; return the folder, and what was said."""

    def run(*arguments):
        folder, ended = python("-m", "pneumonia", "--conf-source=conf-pneumonia.tar.gz", "--env=tiny", *arguments)
        assert "Traceback" not in ended.stdout + ended.stderr, ended.stderr[-3000:]
        return folder, ended

    return run


@pytest.fixture(scope="module")
def finished(run):
    """The folder in which everything was run, and what the run said."""
    folder, ended = run()
    assert ended.returncode == 0, ended.stderr[-3000:]
    return folder, ended.stderr


def newest(folder, name):
    """The newest file of a versioned dataset."""
    return max(folder.glob(f"data/tiny/*/{name}/*/{name}"))


def test_the_wheel_says_that_it_has_types(packaged):
    (wheel,) = packaged.glob("*.whl")

    assert "pneumonia/py.typed" in zipfile.ZipFile(wheel).namelist()


def test_the_wheel_trains_a_model_and_writes_the_report_below_the_current_folder(finished):
    folder, said = finished

    assert newest(folder, "pneumonia_model.keras").stat().st_size > 0
    assert "<h1" in newest(folder, "report.html").read_text(encoding="utf-8")
    assert newest(folder, "model_card.md").read_text(encoding="utf-8")
    assert newest(folder, "report.html").as_uri() in said
    assert {path.name for path in folder.iterdir()} == {"conf-pneumonia.tar.gz", "data"}


def test_it_records_the_command_and_no_commit(finished):
    record = json.loads(newest(finished[0], "run_record.json").read_text(encoding="utf-8"))

    assert record["command"] == "python -m pneumonia --conf-source=conf-pneumonia.tar.gz --env=tiny"
    assert record["commit"] is None
    assert record["packages"]["pneumonia"]


def test_it_logs_as_a_checkout_does(finished):
    assert "INFO    Images: 120 files found" in finished[1]
    assert "Loading data from" not in finished[1]


@pytest.mark.parametrize(
    ("pipeline", "images", "made"),
    [
        ("comparison", None, "run_comparison.csv"),
        ("prediction", "data/tiny/01_raw/chest_xray", "prediction_report.html"),
        ("export", None, "export_parity.json"),
    ],
)
def test_the_other_pipelines_run_on_what_it_made(finished, run, pipeline, images, made):
    folder, ended = run(f"--pipelines={pipeline}", *([f"--params=images={images}"] if images else []))

    assert ended.returncode == 0, ended.stderr[-3000:]
    assert newest(folder, made)
    if pipeline == "export":
        (script,) = folder.glob("data/tiny/06_models/exported/*/exported/predict.py")
        assert script.with_name("model.onnx").is_file()


def test_what_is_missing_is_asked_for_by_the_command_that_is_there(run):
    _, ended = run("--env=notes", "--pipelines=evaluation")

    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1].endswith(
        "make them with: python -m pneumonia --pipelines=training --params=images=PATH --env=notes."
    )
