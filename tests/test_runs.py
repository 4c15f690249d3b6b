"""Every registered pipeline, started by `kedro run` in a process of its own, on generated images."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

TINY = {
    "training": {"epochs": 1, "batch_size": 16},
    "inputs": {"image_size": 64},
    "evaluation": {"resamples": 200, "robustness_images": 20, "train_images": 20},
}


def kedro(folder, *arguments):
    """Run `kedro` with its installed entry point, and return the finished process."""
    return subprocess.run(
        [Path(sys.executable).with_name("kedro"), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "NO_COLOR": "1"},
    )


def succeed(folder, *arguments):
    process = kedro(folder, *arguments)
    assert process.returncode == 0, process.stdout[-3000:] + process.stderr[-3000:]
    return process


@pytest.fixture(scope="session")
def checkout(tmp_path_factory, project, copy_project):
    """A checkout in which `kedro run --env=tiny --pipeline=training` was run, and nothing before it."""
    folder = copy_project(tmp_path_factory.mktemp("runs") / "checkout")
    tiny = folder / "conf" / "tiny"
    tiny.mkdir()
    catalog = yaml.safe_load((project / "conf/demo/catalog.yml").read_text())
    catalog["chest_xrays"]["n_images"] = 120
    (tiny / "catalog.yml").write_text(yaml.safe_dump(catalog))
    (tiny / "parameters.yml").write_text(yaml.safe_dump(TINY))
    (tiny / "globals.yml").write_text("root: data/tiny\nimages: data/tiny/01_raw/chest_xray\n")
    succeed(folder, "run", "--env=tiny", "--pipelines=training")
    return folder


def versions(folder, name):
    """The versions of a dataset, oldest first."""
    (path,) = folder.glob(f"data/tiny/*/{name}")
    return sorted(version.name for version in path.iterdir() if version.is_dir())


def test_training_alone_gives_a_model_and_evaluation_then_metrics_and_report(checkout):
    assert len(versions(checkout, "pneumonia_model.keras")) == 1
    assert not (checkout / "data/tiny/08_reporting/metrics.json").exists()

    succeed(checkout, "run", "--env=tiny", "--pipelines=evaluation")

    (metrics,) = checkout.glob("data/tiny/08_reporting/metrics.json/*/metrics.json")
    found = json.loads(metrics.read_text())
    assert set(found) == {"val", "test"}
    assert 0 <= found["test"]["auc"]["low"] <= found["test"]["auc"]["value"] <= found["test"]["auc"]["high"] <= 1
    assert sum(found["test"]["confusion"].values()) == found["test"]["n"]
    assert len(versions(checkout, "report.html")) == 1


@pytest.mark.parametrize("pipeline", ["ingest", "imbalance", "inputs", "comparison"])
def test_a_pipeline_runs_by_itself(checkout, pipeline):
    succeed(checkout, "run", "--env=tiny", f"--pipelines={pipeline}")


def test_training_on_a_frozen_split_trains_on_it_and_saves_no_other_manifest(checkout):
    first = versions(checkout, "split_manifest.csv")[0]
    succeed(checkout, "run", "--env=tiny", "--pipelines=ingest", "--params=ingest.seed=7")
    manifests = versions(checkout, "split_manifest.csv")

    succeed(
        checkout, "run", "--env=tiny", "--pipelines=training", "--tags=training",
        f"--load-versions=split_manifest:{first}",
    )  # fmt: skip

    assert versions(checkout, "split_manifest.csv") == manifests
    manifest = next(checkout.glob(f"data/tiny/*/split_manifest.csv/{first}/split_manifest.csv.sha256"))
    assert lineage(checkout)["manifest_sha256"] == manifest.read_text().split()[0]


def test_a_model_is_not_evaluated_on_another_manifest(checkout):
    succeed(checkout, "run", "--env=tiny", "--pipelines=ingest", "--params=ingest.seed=8")
    process = kedro(checkout, "run", "--env=tiny", "--pipelines=evaluation")

    assert process.returncode == 1
    assert "The model was trained with the manifest" in process.stderr
    assert "Traceback" not in process.stdout + process.stderr


def test_the_same_images_and_seed_give_the_same_manifest_byte_for_byte(checkout):
    contents = []
    for _ in range(2):
        succeed(checkout, "run", "--env=tiny", "--pipelines=ingest", "--params=ingest.seed=9")
        newest = versions(checkout, "split_manifest.csv")[-1]
        contents.append(next(checkout.glob(f"data/tiny/*/split_manifest.csv/{newest}/*.csv")).read_bytes())

    assert contents[0] == contents[1]


def test_without_images_one_sentence_says_what_to_do(checkout):
    process = kedro(checkout, "run", "--params=images=no/such/folder")

    assert process.returncode != 0
    assert "Traceback" not in process.stdout + process.stderr
    last = process.stderr.strip().splitlines()[-1]
    assert last.startswith("Error: ")
    assert "no/such/folder" in last
    assert "--params=images=" in last


def test_the_demo_refuses_images_of_the_users_own(checkout):
    process = kedro(checkout, "run", "--env=tiny", "--params=images=elsewhere")

    assert process.returncode == 1
    assert "The demo generates its own images and would not read elsewhere" in process.stderr
    assert "Traceback" not in process.stdout + process.stderr


def test_a_misspelt_top_level_parameter_ends_the_run_before_it_starts(checkout):
    process = kedro(checkout, "run", "--params=imges=somewhere")

    assert process.returncode != 0
    assert "imges: no such parameter; did you mean images?" in process.stderr
    assert "Traceback" not in process.stdout + process.stderr


def test_evaluation_without_a_model_says_how_to_make_one(tmp_path, copy_project):
    process = kedro(copy_project(tmp_path / "empty"), "run", "--env=demo", "--pipelines=evaluation")

    assert process.returncode != 0
    assert "make it by: kedro run --pipeline=training --env=demo" in process.stderr
    assert "Traceback" not in process.stdout + process.stderr


def lineage(folder):
    """The lineage that the newest model carries."""
    import zipfile

    newest = max(folder.glob("data/tiny/*/pneumonia_model.keras/*/pneumonia_model.keras"))
    with zipfile.ZipFile(newest) as archive:
        return json.loads(archive.read("lineage.json"))
