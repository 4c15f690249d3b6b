"""The framing audit of a run: scores, table, figure, finding."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from pneumonia.audits.framing import FRAMINGS, JUDGES, Kind, Shown, measure_framings, reframe_images
from pneumonia.audits.reframing import reframe
from pneumonia.model.predict import predict
from pneumonia.pipelines.evaluation.audit_figures import draw_framings
from pneumonia.report.documents import write_report
from pneumonia.report.findings import judge_framing


@pytest.fixture(scope="module")
def tiny_framings(tiny_network, tiny_manifest, tiny_pixels, parameters):
    return reframe_images(tiny_network, tiny_manifest, *tiny_pixels, parameters)


def test_validation_alone_is_reframed(tiny_framings, tiny_manifest):
    val = tiny_manifest[tiny_manifest["split"] == "val"]
    assert set(tiny_framings["path"]) == set(val["path"])
    assert set(tiny_framings["shown"]) == set(Shown)


def test_each_judge_has_the_auc_of_the_images_as_it_shows_them(
    tiny_network, tiny_manifest, tiny_store, tiny_framings, decision
):
    audit = measure_framings(tiny_framings, decision)
    assert audit[["kind", "negatives", "positives"]].to_numpy().tolist() == [list(judge) for judge in JUDGES]
    val = tiny_manifest[tiny_manifest["split"] == "val"].reset_index(drop=True)
    images = tiny_store.read(tiny_store.rows(val["sha256"]))
    shown = images.copy()
    normal = np.flatnonzero(val["target"] == 0)
    shown[normal] = reframe(images[normal], FRAMINGS[Shown.CUT_25])
    row = audit[(audit["kind"] == Kind.NEGATIVES_CUT) & (audit["negatives"] == Shown.CUT_25)].iloc[0]
    assert row["auc"] == pytest.approx(roc_auc_score(val["target"], predict(tiny_network, shown, 64)))
    assert (row["n"], row["n_groups"]) == (8, 8)


def test_no_framing_is_tried_where_none_is_wanted(
    tiny_network, tiny_manifest, tiny_pixels, parameters, material, pictures
):
    off = parameters.model_copy(update={"framing_images": 0})
    scores = reframe_images(tiny_network, tiny_manifest, *tiny_pixels, off)
    audit = measure_framings(scores, {})
    assert audit.empty
    assert judge_framing(audit, "NORMAL", "PNEUMONIA")["title"] == "Framing not measured"
    assert "evaluation.framing_images is 0" in draw_framings(audit).axes[0].texts[0].get_text()
    assert "<code>evaluation.framing_images</code> is 0" in write_report(
        **{**material, "framing_audit": audit}, **pictures
    )


def test_a_network_that_cuts_mislead_is_found_out_with_its_worst_cut(framing_audit):
    finding = judge_framing(framing_audit, "NORMAL", "PNEUMONIA")
    assert (finding["level"], finding["title"]) == ("bad", "The network judges by how the image is framed")
    worst = framing_audit[framing_audit["kind"] == Kind.NEGATIVES_CUT].sort_values("auc").iloc[0]
    assert f"the AUC is {worst['auc']:.3f} ({worst['low']:.3f} to {worst['high']:.3f})" in finding["text"]
    assert f"the specificity {worst['specificity']:.3f} instead of" in finding["text"]


@pytest.mark.parametrize(
    ("auc", "low", "high", "level"),
    [
        (0.99, 0.97, 0.997, "good"),
        (0.96, 0.90, 0.98, "caution"),
        (0.93, 0.90, 0.96, "caution"),
        (0.80, 0.7, 0.9, "bad"),
    ],
)
def test_a_loss_counts_where_the_intervals_lie_apart(framing_audit, auc, low, high, level):
    audit = framing_audit.copy()
    cuts = audit["kind"] == Kind.NEGATIVES_CUT
    audit.loc[~cuts, ["auc", "low", "high"]] = [0.975, 0.965, 0.985]
    audit.loc[cuts, ["auc", "low", "high"]] = [auc, low, high]
    assert judge_framing(audit, "NORMAL", "PNEUMONIA")["level"] == level


def test_a_cut_whose_interval_is_wide_counts_though_another_costs_more(framing_audit):
    audit = framing_audit.copy()
    cuts = audit["kind"] == Kind.NEGATIVES_CUT
    audit.loc[~cuts, ["auc", "low", "high"]] = [0.975, 0.965, 0.985]
    audit.loc[cuts, ["auc", "low", "high"]] = [0.97, 0.96, 0.98]
    audit.loc[audit.index[cuts][-1], ["auc", "low", "high"]] = [0.972, 0.90, 0.99]

    assert judge_framing(audit, "NORMAL", "PNEUMONIA")["level"] == "caution"


def test_the_figure_has_a_row_a_judge_under_four_headings(framing_audit):
    axes = draw_framings(framing_audit).axes[0]
    assert len(axes.get_yticks()) == len(JUDGES) + 4
    assert len(axes.texts) == 3 * len(JUDGES)
