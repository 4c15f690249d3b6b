"""Judges that see framing."""

import numpy as np
import pandas as pd
import pytest

from pneumonia.audits.framing import (
    CUTS,
    FRAMINGS,
    JUDGES,
    WIDE,
    ZOOMS,
    Change,
    FramingJudge,
    Shown,
    images_of,
    score_framings,
    tabulate_judges,
)
from pneumonia.audits.reframing import reframe

CUT = FramingJudge(Change.NEGATIVES_CUT, Shown.CUT_25, Shown.WHOLE)


@pytest.fixture
def children():
    """Four negatives with a dark band (shoulders) on top, four positives without; the lungs below are alike."""
    images = np.full((8, 40, 40, 1), 120, np.uint8)
    images[::2, :8] = 20
    return images, pd.DataFrame({"path": list("abcdefgh"), "group": list("abcdefgh"), "target": np.arange(8) % 2})


def read_the_top(images):
    """A network that sees only how bright the top rows are."""
    return images[:, :4].mean(axis=(1, 2, 3)) / 255


def test_a_network_that_reads_the_framing_is_perfect_until_the_judge_looks(children):
    judges = [JUDGES[0], CUT]
    table = tabulate_judges(score_framings(read_the_top, *children, 10, judges), judges, threshold=0.2)
    assert table["kind"].tolist() == ["untouched", "negatives_cut"]
    assert table["auc"].tolist() == [1.0, 0.5]
    assert table["sensitivity"].tolist() == [1.0, 1.0]
    assert table["specificity"].tolist() == [1.0, 0.0]
    assert table["n"].tolist() == [8, 8]


def test_only_the_class_that_the_judge_names_is_reframed(children):
    images, rows = children
    scores = score_framings(lambda part: part.mean(axis=(1, 2, 3)), images, rows, 10, [CUT])
    seen = images_of(CUT, scores)
    assert seen["path"].tolist() == list("acegbdfh")
    cut_off = reframe(images[::2], FRAMINGS[Shown.CUT_25])
    assert seen["probability"].tolist() == [*cut_off.mean(axis=(1, 2, 3)), 120.0, 120.0, 120.0, 120.0]


def test_each_class_is_predicted_once_under_each_framing(children):
    scores = score_framings(read_the_top, *children, 10)
    assert len(scores) == 4 * (2 + len(CUTS) + len(WIDE) + 2 * len(ZOOMS))
    assert not scores.duplicated(["path", "shown"]).any()


def test_at_most_so_many_of_a_class_are_reframed_and_all_are_shown_as_they_are(children):
    scores = score_framings(read_the_top, *children, 3)
    counts = scores.groupby(["target", "shown"]).size()
    assert (counts.xs("whole", level="shown") == 4).all()
    assert (counts.drop("whole", level="shown") == 3).all()


def test_the_cuts_are_undone_by_the_framings_of_the_mirror():
    for judge in (judge for judge in JUDGES if judge.kind is Change.BOTH):
        narrow, wide = FRAMINGS[judge.negatives], FRAMINGS[judge.positives]
        assert wide.top * (narrow.bottom - narrow.top) == pytest.approx(-narrow.top)


def test_a_probability_at_the_threshold_is_called_positive():
    scores = pd.DataFrame({"target": [0, 0, 1, 1], "shown": "whole", "probability": [0.1, 0.5, 0.4, 0.9]})
    row = tabulate_judges(scores, JUDGES[:1]).iloc[0]
    assert (row["auc"], row["sensitivity"], row["specificity"]) == (0.75, 0.5, 0.5)


def test_every_way_of_showing_has_a_window_and_a_label():
    assert list(FRAMINGS) == list(Shown)
