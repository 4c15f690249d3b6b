"""Every registered pipeline, started by `kedro run` on generated images."""

import json
import re
import shutil
import warnings
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from tests.conftest import kedro, kedro_process, post, serving, succeed
from tests.tiny_network import register_tiny_network

from pneumonia.demo.images import write_demo_images
from pneumonia.demo.second_hospital import write_second_hospital
from pneumonia.report.words import say_number

# For runs in this process whose network is not what is looked at: it trains in a fraction of the time.
TINY_NETWORK = f"model.name={register_tiny_network()}"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory, tiny_checkout):
    """A checkout in which `kedro run --env=tiny --pipelines=training` was run, and nothing before it."""
    folder = tiny_checkout(tmp_path_factory.mktemp("runs") / "checkout")
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


@pytest.mark.parametrize(("spelling", "warns"), [("--pipelines=comparison", False), ("--pipeline=comparison", True)])
def test_both_spellings_name_a_pipeline_and_only_the_former_one_warns(checkout, spelling, warns):
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        succeed(checkout, "run", "--env=tiny", spelling)

    assert any("'--pipeline' is deprecated" in str(warning.message) for warning in given) == warns


def test_training_on_a_frozen_split_trains_on_it_and_saves_no_other_manifest(checkout):
    first = versions(checkout, "split_manifest.csv")[0]
    succeed(checkout, "run", "--env=tiny", "--pipelines=ingest", "--params=ingest.seed=7")
    manifests = versions(checkout, "split_manifest.csv")

    succeed(
        checkout, "run", "--env=tiny", "--pipelines=training", "--tags=training",
        f"--load-versions=split_manifest:{first}", f"--params={TINY_NETWORK}",
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


def test_a_model_that_is_named_brings_what_belongs_to_it(checkout):
    first = versions(checkout, "pneumonia_model.keras")[0]
    of_first = json.loads(next(checkout.glob(f"data/tiny/*/model_lineage.json/{first}/*.json")).read_text())

    succeed(
        checkout, "run", "--env=tiny", "--pipelines=evaluation", f"--load-versions=pneumonia_model:{first}",
        "--params=evaluation.robustness=false,evaluation.framing_images=0",
    )  # fmt: skip

    record = json.loads(max(checkout.glob("data/tiny/*/run_record.json/*/run_record.json")).read_text())
    assert record["model"] == of_first
    assert record["data"]["manifest_sha256"] == of_first["manifest_sha256"]
    assert record["versions"] == {**of_first["versions"], "pneumonia_model": first}


def test_the_same_images_and_seed_give_the_same_manifest_byte_for_byte(checkout):
    contents = []
    for _ in range(2):
        succeed(checkout, "run", "--env=tiny", "--pipelines=ingest", "--params=ingest.seed=9")
        newest = versions(checkout, "split_manifest.csv")[-1]
        contents.append(next(checkout.glob(f"data/tiny/*/split_manifest.csv/{newest}/*.csv")).read_bytes())

    assert contents[0] == contents[1]


@pytest.mark.parametrize("by", [kedro, kedro_process])
def test_without_images_one_sentence_says_what_to_do(checkout, by):
    process = by(checkout, "run", "--params=images=no/such/folder")

    assert process.returncode != 0
    assert "Traceback" not in process.stdout + process.stderr
    last = process.stderr.strip().splitlines()[-1]
    assert last.startswith("Error: There are no images at")
    assert "no/such/folder" in last
    assert process.stderr.count("There are no images at") == 1
    assert "--from-nodes" not in process.stderr
    assert "--params=images=" in last


def test_the_demo_refuses_images_of_the_users_own(checkout):
    process = kedro(checkout, "run", "--env=tiny", "--params=images=elsewhere")

    assert process.returncode == 1
    assert "The demo generates its own images and does not read elsewhere" in process.stderr
    assert "Traceback" not in process.stdout + process.stderr


def test_a_misspelt_top_level_parameter_ends_the_run_before_it_starts(checkout):
    process = kedro(checkout, "run", "--params=imges=somewhere")

    assert process.returncode != 0
    assert "imges: no such parameter; did you mean images?" in process.stderr
    assert "Traceback" not in process.stdout + process.stderr


def test_evaluation_without_a_model_says_how_to_make_one(tmp_path, copy_project):
    process = kedro(copy_project(tmp_path / "empty"), "run", "--env=demo", "--pipelines=evaluation")

    assert process.returncode != 0
    assert "make them with: kedro run --pipelines=training --env=demo" in process.stderr
    assert "Traceback" not in process.stdout + process.stderr


def test_whatever_one_node_leaves_to_another_is_on_disk_but_what_has_not_passed_the_gate(catalog_entries):
    assert {name for name, entry in catalog_entries.items() if entry is None} == set()
    assert {name for name, entry in catalog_entries.items() if entry["type"] == "MemoryDataset"} == {"export_candidate"}


@pytest.mark.slow
@pytest.mark.parametrize("runner", ["ThreadRunner", "ParallelRunner"])
def test_every_runner_makes_all_of_it(resumed, runner):
    before = versions(resumed, "report.html")

    succeed(resumed, "run", "--env=tiny", f"--runner={runner}", by=kedro_process)

    assert len(versions(resumed, "report.html")) == len(before) + 1


@pytest.fixture(scope="module")
def resumed(tmp_path_factory, finished_checkout):
    """A copy of a checkout in which everything was run once."""
    return shutil.copytree(finished_checkout, tmp_path_factory.mktemp("resumed") / "checkout")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("selection", "made", "kept"),
    [
        (["--tags=report"], ["report.html", "model_card.md"], ["metrics.json", "pneumonia_model.keras"]),
        (["--to-nodes=inputs.draw_batch"], ["split_manifest.csv", "batch.png"], ["pneumonia_model.keras"]),
        (
            ["--from-nodes=inputs.store_pixels", f"--params={TINY_NETWORK}"],
            ["batch.png", "pneumonia_model.keras", "metrics.json", "report.html"],
            ["split_manifest.csv", "class_weights.json"],
        ),
        (
            ["--tags=imbalance,training", f"--params={TINY_NETWORK}"],
            ["pneumonia_model.keras"],
            ["split_manifest.csv", "metrics.json"],
        ),
    ],
)
def test_a_run_starts_and_ends_where_it_is_told(resumed, selection, made, kept):
    before = {name: versions(resumed, name) for name in (*made, *kept)}

    succeed(resumed, "run", "--env=tiny", *selection)

    for name in made:
        assert len(versions(resumed, name)) == len(before[name]) + 1, name
    for name in kept:
        assert versions(resumed, name) == before[name], name


@pytest.mark.slow
def test_kedros_server_predicts_over_http_and_says_what_is_wrong(tmp_path, finished_checkout):
    folder = shutil.copytree(finished_checkout, tmp_path / "checkout")
    images = next((folder / "data/tiny/01_raw/chest_xray").glob("*/NORMAL"))
    predict = {"pipeline_names": ["prediction"]}

    with serving(folder, "kedro", "server", "start", "--env=tiny", probe="/health") as url:
        done = post(f"{url}/run", {**predict, "params": {"images": str(images)}})
        failed = post(f"{url}/run", {**predict, "params": {"images": "no/such/folder"}})

    path = folder / f"data/tiny/07_model_output/new_predictions.csv/{done['run_id']}/new_predictions.csv"
    assert done["status"] == "success"
    assert len(pd.read_csv(path)) == len(list(images.iterdir()))
    assert failed["status"] == "failure"
    assert re.match("There are no images at .*no/such/folder", failed["error"]["message"])


@pytest.mark.slow
def test_two_clients_of_kedros_server_are_each_answered_about_their_own_images(tmp_path, finished_checkout):
    folder = shutil.copytree(finished_checkout, tmp_path / "checkout")
    folders = [next((folder / "data/tiny/01_raw/chest_xray").glob(f"*/{label}")) for label in ("NORMAL", "PNEUMONIA")]

    def predict(images):
        request = {"pipeline_names": ["prediction"], "params": {"images": str(images)}}
        answer = post(f"{url}/run", request)
        while "Send this one again" in json.dumps(answer):  # both began in the same millisecond
            answer = post(f"{url}/run", request)
        return answer

    with (
        serving(folder, "kedro", "server", "start", "--env=tiny", probe="/health") as url,
        ThreadPoolExecutor() as pool,
    ):
        answers = list(pool.map(predict, folders))

    for images, answer in zip(folders, answers, strict=True):
        assert answer["status"] == "success", answer
        table = folder / f"data/tiny/07_model_output/new_predictions.csv/{answer['run_id']}/new_predictions.csv"
        assert sorted(pd.read_csv(table)["path"]) == sorted(path.name for path in images.iterdir())


@pytest.mark.slow
def test_a_model_is_evaluated_after_its_images_are_gone(tmp_path, tiny_checkout, tiny_images):
    for name, content in tiny_images.items():
        path = tmp_path / "mine" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    folder = tiny_checkout(tmp_path / "checkout")
    (folder / "conf/tiny/parameters.yml").rename(folder / "conf/local/parameters.yml")
    succeed(folder, "run", "--pipelines=training", f"--params=images={tmp_path / 'mine'},{TINY_NETWORK}")
    shutil.rmtree(tmp_path / "mine")

    ended = succeed(folder, "run", "--pipelines=evaluation")

    for name in ("report.html", "model_card.md", "metrics.json", "run_record.json", "pointing.json"):
        (path,) = folder.glob(f"data/*/{name}/*/{name}")
        assert path.stat().st_size > 0, name
    assert "There are no images" not in ended.stderr


@pytest.mark.slow
def test_a_network_is_trained_on_two_hospitals_and_what_the_hospital_gives_away_is_said(tmp_path, tiny_checkout):
    write_demo_images(tmp_path / "first", 120)
    write_second_hospital(tmp_path / "second", 120, seed=1)
    # Most patients of the first hospital are ill, and few of the second.
    for few in ("first/*/NORMAL", "second/PNEUMONIA"):
        for number, path in enumerate(sorted(tmp_path.glob(f"{few}/*.jpeg"))):
            if number % 3:
                path.unlink()
    folder = tiny_checkout(tmp_path / "checkout")
    (folder / "conf/tiny/parameters.yml").rename(folder / "conf/local/parameters.yml")

    hospitals = f"images.first={tmp_path / 'first'},images.second={tmp_path / 'second'}"
    succeed(folder, "run", f"--params={hospitals},{TINY_NETWORK}")

    audit = pd.read_csv(next(folder.glob("data/*/site_audit.csv/*/site_audit.csv")))
    alone = audit[audit["predictor"] == "site"].iloc[0]
    assert alone["value"] > 0.6
    assert set(audit.loc[audit["predictor"] == "network", "site"]) == {"first", "second"}
    page = next(folder.glob("data/08_reporting/report.html/*/report.html")).read_text()
    assert f"reaches AUC {say_number(alone['value'])}" in page
    manifest = pd.read_csv(next(folder.glob("data/*/split_manifest.csv/*/split_manifest.csv")))
    assert set(zip(manifest["site"], manifest["split"], manifest["target"], strict=True)) == set(
        product(("first", "second"), ("train", "val", "test"), (0, 1))
    )


def lineage(folder):
    """The lineage of the newest model."""
    return json.loads(max(folder.glob("data/tiny/*/model_lineage.json/*/model_lineage.json")).read_text())


@pytest.mark.slow
def test_what_is_deleted_is_made_again_by_what_the_refused_run_advises(tmp_path, finished_checkout):
    folder = shutil.copytree(finished_checkout, tmp_path / "checkout")
    for layer in ("03_primary", "04_feature", "05_model_input", "08_reporting/training_curves.png"):
        shutil.rmtree(folder / "data/tiny" / layer)
        refused = kedro(folder, "run", "--env=tiny", "--pipelines=evaluation")
        advice = re.search(r"make (?:it|them) with: kedro (run \S+ --env=tiny)\.", refused.stderr)[1]
        assert advice.split()[1] not in ("--pipelines=training", "--pipelines=evaluation")
        succeed(folder, *advice.split())
    succeed(folder, "run", "--env=tiny", "--pipelines=evaluation")


@pytest.mark.slow
def test_one_image_of_a_class_in_each_split_ends_in_a_report(tmp_path, tiny_checkout):
    rng = np.random.default_rng(0)
    for split, label in product(("train", "val", "test"), ("NORMAL", "PNEUMONIA")):
        folder = tmp_path / "six" / split / label
        folder.mkdir(parents=True)
        Image.fromarray(rng.integers(0, 256, (80, 96), np.uint8)).save(folder / f"{split}_{label}.png")
    folder = tiny_checkout(tmp_path / "checkout")
    parameters = f"images={tmp_path / 'six'},training.epochs=1,inputs.image_size=64,{TINY_NETWORK}"

    ended = succeed(folder, "run", f"--params={parameters}")

    assert "Split: train 2 images, val 2 images, test 2 images, image by image" in ended.stderr
    assert "Against the result: No interval." in ended.stderr
    (report,) = folder.glob("data/08_reporting/report.html/*/report.html")
    page = report.read_text()
    assert "Nothing was cross-validated: one class of train and validation has fewer than 5 groups" in page
    assert "No network was trained on the rim or the centre alone" in page
