"""Tables like those of a run on the published images, drawn from a seed, and the documents made from them."""

import io
from itertools import product

import numpy as np
import pandas as pd
import pytest

from pneumonia.audits.corruption import measure_robustness
from pneumonia.audits.framing import CUTS, Shown, measure_framings
from pneumonia.audits.range_check import KIND_LABELS
from pneumonia.audits.regions import Region
from pneumonia.audits.shortcuts import FEATURE_SETS, Basis, Sample, audit_shortcuts
from pneumonia.audits.sites import PROBE_COLUMNS, RESULT_COLUMNS
from pneumonia.base.parameters import IngestParameters
from pneumonia.base.sqlite import ScoringLedger
from pneumonia.metrics import summary
from pneumonia.metrics.decisions import decide, make_decision
from pneumonia.model.scoring import SCORE_COLUMNS
from pneumonia.pipelines.evaluation.pipeline import create_pipeline
from pneumonia.report import documents
from pneumonia.report.gallery import choose_gallery, overlay, webp_uri
from pneumonia.report.material import ReportMaterial, ReportTables
from pneumonia.report.record import record_run
from pneumonia.split.leak_audit import SplitBy
from pneumonia.split.summary import FlowStep, tabulate_split


@pytest.fixture(scope="session")
def parameters(evaluation_parameters):
    """The default parameters with fewer resamples."""
    return evaluation_parameters.model_copy(update={"resamples": 300})


@pytest.fixture(scope="session")
def manifest():
    """About 700 train, 270 val and 400 test images: groups of one etiology, seven of ten images positive."""
    rng = np.random.default_rng(5)
    rows = []
    for split, n_groups in (("train", 500), ("val", 200), ("test", 300)):
        for group in range(n_groups):
            etiology = rng.choice(["none", "bacteria", "virus"], p=[0.42, 0.36, 0.22])
            label = "NORMAL" if etiology == "none" else "PNEUMONIA"
            for image in range(rng.choice([1, 2, 4], p=[0.65, 0.22, 0.13]) if etiology != "none" else 1):
                name = f"{etiology if etiology != 'none' else 'IM'}_{split}{group}_{image}.jpeg"
                rows.append((f"{split}/{label}/{name}", label, etiology, f"{etiology}-{split}{group}", split))
    table = pd.DataFrame(rows, columns=["path", "label", "etiology", "group", "split"])
    n = len(table)
    return table.assign(
        target=(table["label"] == "PNEUMONIA").astype(int),
        source_split=table["split"].where(table["split"] == "test", "train"),
        sha256=[f"{index:064x}" for index in range(n)],
        bytes=rng.integers(30_000, 90_000, n),
        width=1400 - 250 * (table["label"] == "PNEUMONIA") + rng.integers(-300, 300, n),
        height=1000 + rng.integers(-200, 200, n),
        mode="L",
    ).sort_values("path", ignore_index=True)


@pytest.fixture(scope="session")
def scores(manifest):
    """Probabilities that separate validation well and test less well."""
    rng = np.random.default_rng(6)
    chosen = manifest[manifest["split"] != "train"].reset_index(drop=True)
    child = rng.normal(size=chosen["group"].nunique())[pd.factorize(chosen["group"])[0]]
    shift = np.where(chosen["split"] == "val", 5.2, 3.9) * (chosen["target"] - 0.4)
    logit = shift + 0.8 * child + 0.9 * rng.normal(size=len(chosen))
    is_right = np.random.default_rng(10).random(len(chosen)) < 0.8
    other = np.where(chosen["etiology"] == "bacteria", "virus", "bacteria")
    return chosen[SCORE_COLUMNS].assign(
        probability=1 / (1 + np.exp(-1.6 * logit)),
        likeliest_etiology=np.where(is_right & (chosen["target"] == 1), chosen["etiology"], other),
        etiology_score=np.random.default_rng(11).normal(size=len(chosen)) + (chosen["etiology"] == "bacteria"),
    )


@pytest.fixture(scope="session")
def decision(scores, parameters):
    return make_decision(scores, {"weights_sha256": "ab" * 32}, parameters)


@pytest.fixture(scope="session")
def predictions(scores, decision):
    return decide(scores, decision)


@pytest.fixture(scope="session")
def metrics(predictions, decision, parameters):
    return summary.compute_metrics(predictions, decision, parameters)


@pytest.fixture(scope="session")
def shortcut_features(manifest):
    """A width that hints at the class, and noise."""
    from pneumonia.audits.shortcuts import file_features

    rng = np.random.default_rng(7)
    files = file_features(manifest)
    pixels = [name for name in FEATURE_SETS[Basis.ALL] if name not in files]
    noise = pd.DataFrame(rng.normal(size=(len(manifest), len(pixels))), columns=pixels)
    return pd.concat([manifest[["path", "group", "target", "split"]], files, noise], axis=1)


@pytest.fixture(scope="session")
def rim_scores(scores):
    """Scores as from a network that sees only the rim: a hint of the class, and noise."""
    noise = np.random.default_rng(9).normal(size=len(scores))
    told = 1 / (1 + np.exp(-noise - 0.8 * scores["target"]))
    return scores[["path", "group", "target", "split"]].assign(probability=told)


@pytest.fixture(scope="session")
def centre_scores(rim_scores):
    """The same, with a stronger hint."""
    return rim_scores.assign(probability=np.minimum(1, rim_scores["probability"] + 0.3 * rim_scores["target"]))


@pytest.fixture(scope="session")
def robustness(scores, decision):
    """A table as `measure_robustness` makes it, from scores that grow noisier with the strength."""
    from pneumonia.audits.corruption import KINDS

    rng = np.random.default_rng(8)
    test = scores[scores["split"] == "test"]
    parts = []
    for (index, kind), strength in product(enumerate(KINDS, 1), (1, 2, 3)):
        noise = rng.normal(size=len(test)) * 0.1 * index * strength / 3
        noisy = np.clip(test["probability"].to_numpy() + noise, 0, 1)
        parts.append(test.assign(kind=kind, strength=strength, probability=noisy))
    return measure_robustness(pd.concat(parts, ignore_index=True), test, decision)


@pytest.fixture(scope="session")
def framing_audit(predictions, decision):
    """A table as `measure_framings` makes it, of a network that only cut negatives mislead."""
    val = predictions[predictions["split"] == "val"][["path", "group", "target", "probability"]]
    parts = []
    for shown in Shown:
        bent = val["probability"].to_numpy()
        if shown in CUTS:
            bent = np.where(val["target"] == 0, bent**0.05, bent)
        parts.append(val.assign(shown=shown, probability=bent))
    return measure_framings(pd.concat(parts, ignore_index=True), decision)


@pytest.fixture(scope="session")
def gallery_maps(predictions, parameters):
    """The gallery of the predictions, on synthetic radiographs with a bright spot for a map."""
    from pneumonia.demo.images import make_image, plan_images

    gallery = choose_gallery(predictions, parameters)
    planned = plan_images(40, 0)
    y, x = np.mgrid[:160, :160] / 160
    records = []
    for index, record in enumerate(gallery.to_dict("records")):
        image = np.asarray(make_image(planned[index % len(planned)], 0)[0].convert("L").resize((160, 160)))
        cam = np.exp(-((x - 0.3 - 0.02 * index) ** 2 + (y - 0.5) ** 2) / 0.02).astype(np.float32)
        pictures = {"image": image, "overlay": overlay(image, cam)}
        records.append(record | {name: webp_uri(pixels) for name, pixels in pictures.items()})
    return records


@pytest.fixture(scope="session")
def run_record(manifest, default_parameters, tmp_path_factory):
    ledger = ScoringLedger(tmp_path_factory.mktemp("ledger") / "scorings.sqlite")
    ledger.note("a", manifest.loc[manifest["split"] == "test", "sha256"])
    stated = {"population": "children of 1 to 5 years", "source": "kermany"}
    return record_run(
        run_context={
            "run_id": "2026-01-02T03.04.05.678Z",
            "environment": "local",
            "command": "kedro run --params=images=chest_xray",
            "versions": {
                "split_manifest": "2026-01-02T03.04.05.678Z",
                "pneumonia_model": "2026-01-02T03.04.05.678Z",
            },
            "commit": "0123456789abcdef0123456789abcdef01234567",
            "packages": {"python": "3.11.9", "keras": "3.15.1", "tensorflow": "2.21.0"},
            "hardware": {"cpu": "A processor", "cores": 2, "platform": "Linux"},
        },
        parameters=default_parameters | {"report": stated},
        split_manifest=manifest,
        model_lineage={
            "run_id": "2026-01-02T03.04.05.678Z",
            "manifest_sha256": "0" * 64,
            "pixels": "128-squeeze-decoder",
            "image_size": 128,
            "resize": "squeeze",
            "class_names": ["NORMAL", "PNEUMONIA"],
            "positive_class": "PNEUMONIA",
            **{name: default_parameters[name] for name in ("inputs", "model", "training")},
        },
        scoring_ledger=ledger,
    )


@pytest.fixture(scope="session")
def region_audit(shortcut_audit):
    """The network's row, with less where the centre is hidden."""
    is_network = (shortcut_audit["predictor"] == Basis.NETWORK) & (shortcut_audit["images"] == Sample.TEST)
    network = shortcut_audit[is_network]
    views = {Region.WHOLE: 0.0, Region.CENTRE_HIDDEN: 0.21, Region.BORDER_HIDDEN: 0.02}
    regions = [
        network.assign(predictor=name, **{k: network[k] - lost for k in ("auc", "low", "high")}).assign(
            behind_centre=lost - 0.02, behind_centre_low=lost - 0.05, behind_centre_high=lost + 0.01
        )
        for name, lost in views.items()
    ]
    return pd.concat(regions, ignore_index=True)


@pytest.fixture(scope="session")
def shortcut_audit(shortcut_features, rim_scores, scores, parameters):
    return audit_shortcuts(shortcut_features, rim_scores, scores, parameters)


@pytest.fixture(scope="session")
def of_other_pipelines(manifest, default_parameters):
    """What the pipelines before the evaluation leave."""
    counts = manifest.groupby(["split", "label", "target"])["group"].agg(images="size", groups="nunique").reset_index()
    epochs = np.arange(1, 21)
    return {
        "split_manifest": manifest,
        "class_counts": counts,
        "class_weights": {"NORMAL": 1.94, "PNEUMONIA": 0.67},
        "data_flow": pd.DataFrame(
            [
                (FlowStep.FOUND, "", len(manifest) + 14, "archive junk not among them"),
                (FlowStep.DUPLICATE, "", 12, "surplus copies, byte for byte"),
                (FlowStep.REJECTED, "", 2, "each with its reason in the list"),
                (FlowStep.TEST_GROUP, "", 0, ""),
                (FlowStep.BLANK, "", 3, "of one grey level"),
                (FlowStep.UNGROUPED, "", 0, ""),
                (FlowStep.USED, "", len(manifest), ""),
                (FlowStep.SIDE_FILES, "", 0, ""),
            ],
            columns=["step", "part", "images", "note"],
        ),
        "split_table": tabulate_split(manifest, IngestParameters(**default_parameters["ingest"])),
        "leak_audit": pd.DataFrame(
            [
                (SplitBy.IMAGE, "train and val", "group", 311, 402, 916, 0.44),
                (SplitBy.IMAGE, "train and val", "hash", 3, 3, 916, 0.003),
                (SplitBy.MANIFEST, "train and val", "group", 0, 0, 406, 0.0),
                (SplitBy.MANIFEST, "train and val", "hash", 0, 0, 406, 0.0),
            ],
            columns=["split_by", "sides", "unit", "on_both_sides", "images", "of_images", "share"],
        ),
        "rejected_images": pd.DataFrame(
            {"path": ["train/NORMAL/a.jpeg", "train/NORMAL/b.jpeg"], "reason": ["empty file", "cut short"]}
        ),
        "training_history": pd.DataFrame({"epoch": epochs, "loss": 1 / epochs, "val_loss": 1.2 / epochs}),
        # Twelve test images were delivered twice.
        "duplicate_images": manifest[manifest["split"] == "test"].head(12)[["path", "sha256", "source_split"]],
    }


@pytest.fixture(scope="session")
def evaluated(
    of_other_pipelines, scores, predictions, decision, metrics, shortcut_audit, region_audit, robustness, framing_audit,
    gallery_maps, run_record, parameters, rim_scores, centre_scores,
):  # fmt: skip
    """The datasets of the evaluation: those above and below, and whatever its nodes make of them."""
    n_kinds = len(KIND_LABELS) - 1
    known = of_other_pipelines | {
        "params:evaluation": parameters,
        "scores": scores,
        "predictions": predictions,
        "train_scores": _train_scores(of_other_pipelines["split_manifest"], scores),
        "decision": decision,
        "metrics": metrics,
        "rim_scores": rim_scores,
        "centre_scores": centre_scores,
        "shortcut_audit": shortcut_audit,
        "region_audit": region_audit,
        "robustness": robustness,
        "range_check": pd.DataFrame(
            {"kind": list(KIND_LABELS), "outside": [0.02, *[0.97] * n_kinds], "low": 0.01, "high": 0.99}
            | {"auc": [None, *[0.998] * n_kinds], "n": 100, "n_groups": 90}
        ),
        "test_distances": predictions.loc[predictions["split"] == "test", ["path"]].assign(
            distance=np.random.default_rng(12).random(int((predictions["split"] == "test").sum())) + 0.02
        ),
        "framing_audit": framing_audit,
        "site_audit": pd.DataFrame(columns=RESULT_COLUMNS),
        "site_probe_audit": pd.DataFrame(columns=PROBE_COLUMNS),
        "gallery_maps": gallery_maps,
        "map_similarity": {"n": 32, "similarity": 0.1, "lowest": -0.3, "highest": 0.5},
        "pointing": {"n": 0, "n_groups": 0, "hits": dict.fromkeys(("value", "low", "high")), "lesion_share": None},
        "run_record": run_record,
    }
    for node in create_pipeline().nodes:
        if set(node.inputs) <= set(known) and not set(node.outputs) <= set(known):
            known |= node.run({name: known[name] for name in node.inputs})
    return known


def _train_scores(manifest, scores):
    """Scores that separate a sample of train better than the others."""
    train = manifest[manifest["split"] == "train"].sample(500, random_state=0)
    shifted = scores.sample(len(train), replace=True, random_state=0)["probability"].to_numpy()
    probability = np.where(train["target"] == 1, np.sqrt(shifted), shifted**2)
    return train[SCORE_COLUMNS].assign(probability=probability)


@pytest.fixture(scope="session")
def material(evaluated):
    """All that the report and the model card are made from, figures left out."""
    return {name: evaluated[name] for name in ReportTables.__annotations__}


def _png(figure):
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=144)
    return content.getvalue()


@pytest.fixture(scope="session")
def pictures(evaluated):
    """The figures of the report as PNG. One of ours stands in for those of other pipelines."""
    return {
        name: _png(evaluated.get(name, evaluated["confusion_figure"]))
        for name in ReportMaterial.__annotations__.keys() - ReportTables.__annotations__.keys()
    }


@pytest.fixture(scope="session")
def report(material, pictures):
    return documents.write_report(**material, **pictures)


@pytest.fixture(scope="session")
def tiny_network(tiny_manifest, tiny_store):
    """A network that compares the upper with the lower half of the tiny images."""
    import keras

    image = keras.Input((32, 32, 1), name="image")
    cells = keras.layers.AveragePooling2D(8)(keras.ops.cast(image, "float32") / 255.0)
    features = keras.layers.Conv2D(1, 1, use_bias=False, kernel_initializer="ones", name="features")(cells)
    flat = keras.layers.Flatten()(features)
    answer = keras.layers.Dense(1, activation="sigmoid", name="probability")
    network = keras.Model(image, answer(flat))
    halves = np.repeat([6.0, -4.0], 8)[:, None].astype(np.float32)
    answer.set_weights([halves, np.zeros(1)])
    images = tiny_store.read(tiny_store.rows(tiny_manifest["sha256"]))
    middle = np.log(1 / network.predict(images, verbose=0)[:, 0] - 1)
    positive = tiny_manifest["target"] == 1
    answer.set_weights([halves, np.array([(middle[positive].max() + middle[~positive].min()) / 2])])
    return network


@pytest.fixture(scope="session")
def tiny_lineage(tiny_network, tiny_manifest, tiny_pixels):
    """What the tiny network was made from."""
    from pneumonia.model.lineage import manifest_digest, weights_digest

    return {
        **tiny_pixels[1],
        "manifest_sha256": manifest_digest(tiny_manifest),
        "class_names": ["NORMAL", "PNEUMONIA"],
        "positive_class": "PNEUMONIA",
        "weights_sha256": weights_digest(tiny_network),
    }


@pytest.fixture(scope="session")
def restate():
    """Return the record of a run with other `report` parameters."""

    def state(run_record, **stated):
        parameters = run_record["parameters"]
        return {**run_record, "parameters": {**parameters, "report": {**parameters["report"], **stated}}}

    return state
