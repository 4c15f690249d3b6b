import numpy as np
import pandas as pd
import pytest
from PIL import Image
from tests.study.conftest import NO_IMAGES, changed, places_in, plan_of

from pneumonia.base.errors import UserError
from pneumonia.base.parameters import Parameters
from pneumonia.base.progress import RUNNING
from pneumonia.images.cache import IndexCache
from pneumonia.images.source import ImageSource
from pneumonia.study import task
from pneumonia.study.run import find_external, plan_jobs, run_jobs, run_study
from pneumonia.study.task import StudyRecords

RESULT = {"untouched_auc": 0.9, "seconds": 1.0, "held_out": {"sha256": 0.5}}
ONE = {"study": {"recipes": [{"name": "base", "changes": {}}], "seeds": [0], "folds": 1}}


@pytest.fixture(scope="module")
def trained(parameters, image_folder, tiny_manifest, tmp_path_factory):
    """A job that judges on another place's images as well, its row, and a folder where nothing was stored before."""
    folder, rng = tmp_path_factory.mktemp("study"), np.random.default_rng(1)
    elsewhere = folder / "elsewhere"
    for label in ("NORMAL", "PNEUMONIA"):
        (elsewhere / label).mkdir(parents=True)
        for number in range(6):
            pixels = rng.integers(0, 255, (40, 40), dtype=np.uint8)
            Image.fromarray(pixels).save(elsewhere / label / f"{number:08}_000.png")
    one = changed(parameters, {"study": {**ONE["study"], "external": str(elsewhere)}})
    external = found_external(one, pd.DataFrame({"sha256": []}), folder)
    ingest = Parameters.model_validate(one).ingest
    (job,) = plan_jobs(plan_of(one), tiny_manifest, external, ingest, **places_in(folder, image_folder))
    assert not job.stores.folder.exists()
    return job, task.run_task(job), folder


def test_a_training_gives_a_row_that_is_kept_and_leaves_no_state(trained):
    job, row, folder = trained

    assert {name: row[name] for name in ("recipe", "seed", "fold", "epochs", "val_images", "val_groups")} == {
        "recipe": "base", "seed": 0, "fold": 1, "epochs": 2, "val_images": 8, "val_groups": 8,
    }  # fmt: skip
    measured = [name for name in row if name.endswith(("_auc", "_sensitivity", "_specificity"))]
    assert len(measured) == 16
    assert all(0 <= row[name] <= 1 for name in measured)
    assert job.records.find(job.key) == row
    assert list((folder / "records/states").glob("*.npz")) == []


def test_pixels_are_decoded_where_they_are_not_stored(trained):
    job, _, _ = trained
    assert len(job.stores.open(32, "squeeze")) == 40 + len(job.external.rows)


def test_another_places_images_are_judged_as_well(trained, parameters, make_jobs):
    job, row, _ = trained
    one = changed(parameters, {"study": {**ONE["study"], "external": job.external.source.address}})

    assert len(job.external.rows) == 12
    assert job.external.rows["target"].sum() == 6
    assert 0 <= row["external_auc"] <= 1
    (without,) = make_jobs(one)
    assert job.key != without.key
    (other,) = make_jobs(one, external=job.external.rows.assign(target=1 - job.external.rows["target"]))
    assert job.key != other.key
    (same,) = make_jobs(one, external=job.external.rows)
    assert job.key == same.key


def test_a_training_on_blocks_is_judged_on_the_stretch_that_it_did_not_see(parameters, make_jobs, tiny_manifest):
    manifest = tiny_manifest.assign(split="train")
    jobs = make_jobs(changed(parameters, ONE | {"study": ONE["study"] | {"folds": "blocks"}}), manifest=manifest)

    row = task.run_task(jobs[1])

    # Of 20 groups of each class, person0 to person39, the second fifth.
    stretch = manifest[manifest["group"].isin({f"person{number}.png" for number in range(8, 16)})]
    assert set(row["held_out"]) == set(stretch["sha256"])
    assert (row["fold"], row["val_images"]) == (2, 8)


def test_a_training_that_is_done_is_not_done_again(parameters, make_jobs, monkeypatch):
    (job,) = make_jobs(changed(parameters, ONE))
    job.records.save(job.key, kept := {**RESULT, "recipe": "kept"})
    monkeypatch.setattr(task, "_train_and_judge", lambda _: pytest.fail("it was done again"))

    assert task.run_task(job) == kept


@pytest.mark.parametrize(
    "changes",
    [{"training": {"epochs": 3}}, {"evaluation": {"framing_images": 5}}, {"inputs": {"image_size": 64}}],
)
def test_what_changes_the_result_changes_the_key(parameters, make_jobs, changes):
    (job,), (other,) = (make_jobs(changed(given, ONE)) for given in (parameters, changed(parameters, changes)))
    assert job.key != other.key


def test_a_machine_without_the_images_is_named(parameters, make_jobs, monkeypatch, tmp_path):
    import dataclasses

    (job,) = make_jobs(changed(parameters, ONE))
    monkeypatch.setattr(task.socket, "gethostname", lambda: "node7")
    job = dataclasses.replace(job, source=ImageSource(str(tmp_path / "nowhere")))

    with pytest.raises(UserError, match=r"On node7: .*nowhere"):
        task.run_task(job)


def test_a_machine_with_other_packages_is_named(parameters, make_jobs, monkeypatch):
    import dataclasses

    (job,) = make_jobs(changed(parameters, ONE))
    monkeypatch.setattr(task.socket, "gethostname", lambda: "node7")
    job = dataclasses.replace(job, environment={**job.environment, "keras": "99.0"})

    with pytest.raises(UserError, match=r"node7 has keras .* 99\.0\. "):
        task.run_task(job)


def found_external(parameters, manifest, folder):
    """The images of another place that a study with these parameters judges on."""
    given = Parameters.model_validate(parameters)
    groups = (given.study, given.ingest, given.labels, given.external)
    return find_external(manifest, IndexCache(folder / "cache.sqlite"), *groups)


def test_without_another_place_there_are_no_images_of_it(parameters, tiny_manifest, tmp_path):
    assert found_external(parameters, tiny_manifest, tmp_path).empty


def test_another_place_may_not_share_images_with_the_manifest(parameters, image_folder, tiny_manifest, tmp_path):
    given = changed(parameters, {"study": {"external": str(image_folder)}})
    with pytest.raises(UserError, match=r"40 images of study\.external are images of the manifest"):
        found_external(given, tiny_manifest, tmp_path)


def test_a_recipe_that_cannot_work_is_refused_before_anything_is_trained(parameters, make_jobs):
    recipes = [{"name": "base", "changes": {}}, {"name": "kinds", "changes": {"training.target": "etiology"}}]
    with pytest.raises(UserError, match=r"'kinds': training\.target "):
        make_jobs(changed(parameters, {"study": {"recipes": recipes, "folds": 1}}))


def test_a_study_goes_on_where_it_stopped_and_says_how_far_it_came(parameters, make_jobs):
    jobs = make_jobs(parameters)
    given = Parameters.model_validate(changed(parameters, {"engine": {"workers": 1}})).engine
    done = []

    def stop_at_the_fourth(job):
        if len(done) == 3:
            raise UserError("The disk is full.")
        done.append(job)
        return {**RESULT, "recipe": job.task.recipe, "number": len(done)}

    with pytest.raises(UserError, match=r"disk is full\. 3 of 8 "):
        run_jobs(jobs, given, stop_at_the_fourth)
    table = run_jobs(jobs, given, lambda job: {**RESULT, "recipe": job.task.recipe})

    assert list(table["recipe"]) == ["base", "hot"] * 4
    assert table["number"].notna().sum() == 3


def test_the_run_is_told_how_many_trainings_are_done_of_those_that_are_left(parameters, make_jobs):
    jobs = make_jobs(parameters)
    given = Parameters.model_validate(changed(parameters, {"engine": {"workers": 1}})).engine
    jobs[2].records.save(jobs[2].key, {**RESULT, **jobs[2].task.label})
    told = []

    def note(job):
        told.append(str(RUNNING[-1]))
        return {**RESULT, **job.task.label}

    run_jobs(jobs, given, note)
    assert told[0] == "Training networks: 0 of 7 trainings"
    assert len(told) == 7
    assert not RUNNING


def test_a_recipe_that_was_renamed_keeps_its_result(parameters, make_jobs):
    given = Parameters.model_validate(parameters).engine
    (job,) = make_jobs(changed(parameters, ONE))
    job.records.save(job.key, {**RESULT, **job.task.label})
    renamed = {"study": {**ONE["study"], "recipes": [{"name": "new name", "changes": {}}]}}

    table = run_jobs(make_jobs(changed(parameters, renamed)), given, lambda _: pytest.fail("it was done again"))

    assert list(table["recipe"]) == ["new name"]


def test_an_interrupted_study_says_how_to_go_on(parameters, make_jobs):
    def interrupt(_):
        raise KeyboardInterrupt

    given = Parameters.model_validate(parameters).engine
    with pytest.raises(UserError, match="Interrupted: 0 of 8 .* resumes"):
        run_jobs(make_jobs(parameters), given, interrupt)


def test_a_study_gives_a_row_for_each_training_of_its_plan(parameters, image_folder, tiny_manifest, tmp_path):
    given = Parameters.model_validate(changed(parameters, {**ONE, "engine": {"workers": 1, "pool": "threads"}}))
    plan, places = plan_of(changed(parameters, ONE)), places_in(tmp_path, image_folder)

    table, scores = run_study(plan, tiny_manifest, NO_IMAGES, given.ingest, given.engine, **places)

    assert table[["recipe", "seed", "fold", "epochs", "val_images"]].to_numpy().tolist() == [["base", 0, 1, 2, 8]]
    assert "held_out" not in table
    assert sorted(scores["sha256"]) == sorted(tiny_manifest.loc[tiny_manifest["split"] == "val", "sha256"])
    assert scores["probability"].between(0, 1).all()


def test_a_result_is_found_again_and_others_are_not(tmp_path):
    records = StudyRecords(tmp_path / "new")
    assert records.find("a1") is None

    records.save("a1", RESULT)

    assert StudyRecords(tmp_path / "new").find("a1") == RESULT
    assert records.find("a2") is None


def test_a_damaged_result_is_named(tmp_path):
    records = StudyRecords(tmp_path)
    records.save("a1", RESULT)
    (tmp_path / "a1.json").write_text('{"recipe": ')

    with pytest.raises(UserError, match=r"a1\.json has changed since .* Remove it"):
        records.find("a1")


@pytest.mark.parametrize(
    "result",
    [[], 3, {}, {**RESULT, "untouched_auc": "0.9"}, {**RESULT, "untouched_auc": None}, {**RESULT, "held_out": []}],
)
def test_a_result_of_another_layout_is_named(tmp_path, result):
    records = StudyRecords(tmp_path)
    records.save("a1", result)

    with pytest.raises(UserError, match=r"a1\.json: The result of a training is not .* trains again"):
        records.find("a1")


def test_a_result_in_the_place_of_another_is_not_taken_without_its_checksum(tmp_path):
    records = StudyRecords(tmp_path)
    records.save("a1", RESULT)
    (tmp_path / "a1.json").rename(tmp_path / "a2.json")

    with pytest.raises(UserError, match=r"a2\.json has no checksum"):
        records.find("a2")
