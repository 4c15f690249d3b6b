import hashlib
import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pneumonia.audits.shortcuts import FEATURE_SETS, Basis
from pneumonia.audits.sites import ALL_SITES, NEW_SITE, ProbedFrom, audit_sites, probe_sites
from pneumonia.metrics.auc import estimate_auc
from pneumonia.pipelines.evaluation.audit_figures import draw_sites
from pneumonia.pixels.request import PixelRequest
from pneumonia.pixels.store import PixelStores

SITES = ("a", "b", "c")
SHADES = {"a": 40, "b": 120, "c": 200}


@pytest.fixture
def material():
    """Three sites whose share of positives differs and whose files differ in width; 40 groups of each and class."""
    rng = np.random.default_rng(0)
    rows = [
        (f"{site}/{split}/{label}{number}.png", f"{site}/{label}{split}{number}", label, int(label == "P"), split, site)
        for place, site in enumerate(SITES)
        for split, size in (("train", 20), ("val", 12), ("test", 20))
        for label in "NP"
        for number in range(size * (1 + place) if label == "P" else size)
    ]
    manifest = pd.DataFrame(rows, columns=["path", "group", "label", "target", "split", "site"])
    width = manifest["site"].map({site: 100.0 * (1 + place) for place, site in enumerate(SITES)})
    features = pd.DataFrame(0.0, index=manifest.index, columns=FEATURE_SETS[Basis.ALL])
    features["log_width"] = np.log(width + rng.normal(size=len(width)))
    features = pd.concat([manifest[["path", "group", "target", "split"]], features], axis=1)
    judged = manifest[manifest["split"] != "train"]
    probability = 1 / (1 + np.exp(-rng.normal(1.5 * (2 * judged["target"] - 1), 1)))
    predictions = judged.assign(probability=probability, decision=(probability > 0.5).astype(int))
    return manifest, features, predictions


NO_RIMS = pd.DataFrame(columns=["path", "probability"])


def test_the_network_is_measured_at_each_site(material, evaluation_parameters):
    manifest, features, predictions = material

    audit = audit_sites(predictions, manifest, features, NO_RIMS, evaluation_parameters)
    network = audit[(audit["predictor"] == Basis.NETWORK) & (audit["measure"] == "auc")].set_index("site")
    assert network.index.tolist() == [*SITES, NEW_SITE]
    part = predictions[(predictions["split"] == "test") & (predictions["site"] == "b")]
    expected = estimate_auc(*(part[name].to_numpy() for name in ("target", "probability", "group")))
    assert network.loc["b", ["value", "low", "high"]].tolist() == list(expected.values())
    assert network.loc["b", ["n", "n_positive", "n_groups"]].tolist() == [60, 40, 60]
    rates = audit[(audit["site"] == "b") & (audit["measure"] == "sensitivity")]
    assert rates["value"].iloc[0] == (part.loc[part["target"] == 1, "decision"] == 1).mean()


def test_a_rule_that_knows_the_site_scores_what_the_shares_of_positives_give(material, evaluation_parameters):
    manifest, features, predictions = material

    audit = audit_sites(predictions, manifest, features, NO_RIMS, evaluation_parameters)
    alone = audit[audit["predictor"] == "site"].iloc[0]
    # Of 20 negatives a site, and 20, 40 and 60 positives: a pair is in order with 2/3 of the positives, drawn with 1/3.
    assert alone["site"] == ALL_SITES
    assert alone["value"] == pytest.approx((20 * (0 + 0.5) + 40 * (1 + 0.5) + 60 * (2 + 0.5)) / (120 * 3))


def test_the_rule_knows_nothing_of_a_site_without_training_images(material, evaluation_parameters):
    manifest, features, predictions = material
    kept = (manifest["site"] != "c") | (manifest["split"] != "train")

    audit = audit_sites(predictions, manifest[kept], features[kept], NO_RIMS, evaluation_parameters)
    alone = audit[audit["predictor"] == "site"].iloc[0]
    # The shares are 1/2 and 2/3 at two sites and 3/5 at the third.
    assert alone["value"] == pytest.approx((20 * (0 + 0.5) + 60 * (1 + 0.5) + 40 * (2 + 0.5)) / (120 * 3))


def test_the_interval_for_a_new_site_is_wider_than_that_of_any_known_one(material, evaluation_parameters):
    manifest, features, predictions = material
    poor = predictions["site"] == "c"
    predictions.loc[poor, "probability"] = np.random.default_rng(1).uniform(size=poor.sum())

    audit = audit_sites(predictions, manifest, features, NO_RIMS, evaluation_parameters)
    network = audit[(audit["predictor"] == Basis.NETWORK) & (audit["measure"] == "auc")].set_index("site")
    width = (network["high"] - network["low"]).astype(float)
    assert width[NEW_SITE] > width[list(SITES)].max()


def test_two_sites_say_nothing_of_a_third(material, evaluation_parameters):
    manifest, features, predictions = (table[~table["path"].str.startswith("c/")] for table in material)

    audit = audit_sites(predictions, manifest, features, NO_RIMS, evaluation_parameters)
    assert NEW_SITE not in set(audit["site"])


def store_shaded(manifest, folder, bits):
    """Store an image of noise for each row, darker at one site than at another; return the manifest with its hashes."""
    rng, images = np.random.default_rng(2), {}
    for path, site in zip(manifest["path"], manifest["site"], strict=True):
        values = rng.normal(SHADES[site], 20, (32, 32)).clip(0, 255).astype(np.uint8)
        content = io.BytesIO()
        Image.fromarray(values).save(content, "PNG")
        images[path] = content.getvalue()
    hashes = [hashlib.sha256(images[path]).hexdigest() for path in manifest["path"]]
    rows = manifest.assign(sha256=hashes, bits=bits)
    stores = PixelStores(folder)
    read = images.__getitem__
    stores.fill(PixelRequest(tuple(rows["path"]), tuple(hashes), 32, "squeeze", read, bits=tuple(rows["bits"])))
    return rows, stores


@pytest.mark.parametrize("bits", [0, 12])
def test_a_planted_difference_between_sites_is_found_within_each_class(
    material, network, lineage, tmp_path, evaluation_parameters, bits
):
    manifest, features, _ = material
    rows, stores = store_shaded(manifest, tmp_path, bits)

    probe = probe_sites(network, rows, stores, lineage, features, evaluation_parameters)
    found = probe.set_index(["site", "label", "seen"])["auc"]
    assert len(found) == 3 * 2 * 2
    assert found["a", "N", ProbedFrom.PROPERTIES] == 1
    assert found["a", "P", ProbedFrom.FEATURES] > 0.9
    two = rows[rows["site"] != "c"]
    assert set(probe_sites(network, two, stores, lineage, features, evaluation_parameters)["site"]) == {"a"}


def test_images_of_one_site_have_no_audit_of_sites(material, evaluation_parameters):
    manifest, features, predictions = (table.drop(columns="site", errors="ignore") for table in material)

    assert audit_sites(predictions, manifest, features, NO_RIMS, evaluation_parameters).empty
    assert probe_sites(None, manifest, None, {}, features, evaluation_parameters).empty


def test_the_figure_has_a_panel_for_each_rate_and_a_row_for_each_site(material, evaluation_parameters):
    manifest, features, predictions = material

    figure = draw_sites(audit_sites(predictions, manifest, features, NO_RIMS, evaluation_parameters))
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["AUC", "sensitivity", "specificity"]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == [*SITES, NEW_SITE]
