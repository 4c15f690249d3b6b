"""The framing audit of a run: scores, table, figure, finding."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from pneumonia.audits.framing import FRAMINGS, JUDGES, Change, Shown, measure_framings, reframe, reframe_images
from pneumonia.model.predict import predict
from pneumonia.pipelines.evaluation.audit_figures import draw_framings
from pneumonia.report.documents import write_report
from pneumonia.report.findings import judge_framing
from pneumonia.report.words import say_interval, say_number


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
    row = audit[(audit["kind"] == Change.NEGATIVES_CUT) & (audit["negatives"] == Shown.CUT_25)].iloc[0]
    assert row["auc"] == pytest.approx(roc_auc_score(val["target"], predict(tiny_network, shown, 64)))
    assert (row["n"], row["n_groups"]) == (8, 8)
    assert row["loss"] == pytest.approx(audit["auc"].iloc[0] - row["auc"])


def test_the_loss_is_that_of_the_images_that_were_reframed_and_no_others():
    rows = [(path, target, Shown.WHOLE, 0.9 * target) for path, target in zip("abcd", (0, 0, 1, 1), strict=True)]
    rows[1] = ("b", 0, Shown.WHOLE, 0.95)  # an unmodified negative that no judge reframes
    rows += [(path, 0, shown, 0.0) for path in "a" for shown in Shown if shown is not Shown.WHOLE]
    rows += [(path, 1, shown, 0.9) for path in "cd" for shown in Shown if shown is not Shown.WHOLE]
    scores = pd.DataFrame(rows, columns=["path", "target", "shown", "probability"])
    audit = measure_framings(scores.assign(group=scores["path"]), {"threshold": 0.5, "calibration": {"method": "none"}})

    cut = audit[audit["kind"] == Change.NEGATIVES_CUT].iloc[0]
    assert (audit["auc"].iloc[0], cut["auc"], cut["loss"]) == (0.5, 1, 0)


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
    worst = framing_audit[framing_audit["kind"] == Change.NEGATIVES_CUT].sort_values("auc").iloc[0]
    assert f"the AUC is {say_number(worst['auc'])} ({say_interval(worst)}); loss against" in finding["text"]
    assert (
        f"{say_number(worst['loss'])} ({say_number(worst['loss_low'])} to {say_number(worst['loss_high'])}, paired)"
        f", at least {say_number(worst['loss_joint_low'])} with all 4 judged together (Bonferroni). The specificity"
        in finding["text"]
    )
    assert (
        f"The specificity is {say_number(worst['specificity'])}; that of all NORMAL validation images"
        in finding["text"]
    )


OPEN_CUT = "A loss of more than 0.05 of AUC under a cut is not excluded"


@pytest.mark.parametrize(
    ("losses", "level", "title"),
    [
        (
            [(0.106, 0.062, 0.151, 0.05), (0.0, -0.01, 0.01, -0.01)],
            "bad",
            "The network judges by how the image is framed",
        ),
        (
            [(0.106, 0.062, 0.151, 0.05), (0.12, -0.1, 0.3, -0.2)],
            "bad",
            "The network judges by how the image is framed",
        ),
        ([(0.04, 0.01, 0.07, 0.001), (0.0, -0.01, 0.01, -0.01)], "caution", "Cutting lowers the AUC"),
        ([(0.04, 0.01, 0.07, -0.001), (0.0, -0.01, 0.01, -0.01)], "caution", OPEN_CUT),
        ([(0.02, 0.01, 0.03, 0.005), (0.0, -0.01, 0.05, -0.02)], "good", "Loses at most 0.05 of AUC under the cuts"),
        ([(0.02, -0.01, 0.03, -0.02), (0.01, -0.05, 0.06, -0.07)], "caution", OPEN_CUT),
        ([(0.02, -0.01, 0.03, -0.02), (0.01, None, None, None)], "caution", OPEN_CUT),
    ],
)
def test_a_loss_is_judged_by_its_paired_interval(framing_audit, losses, level, title):
    audit = framing_audit.copy()
    cuts = audit.index[audit["kind"] == Change.NEGATIVES_CUT]
    columns = ["loss", "loss_low", "loss_high", "loss_joint_low"]
    audit.loc[cuts, columns] = np.array([losses[0]] * (len(cuts) - 1) + [losses[1]], float)
    finding = judge_framing(audit, "NORMAL", "PNEUMONIA")
    assert finding["level"] == level
    assert finding["title"].startswith(title)


def test_the_figure_has_a_row_a_judge_under_five_headings(framing_audit):
    axes = draw_framings(framing_audit).axes[0]
    assert len(axes.get_yticks()) == len(JUDGES) + 5
    assert len(axes.texts) == 3 * len(JUDGES)
