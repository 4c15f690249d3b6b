"""Judges that see framing."""

import numpy as np
import pytest

from pneumonia.audits.judges import (
    AS_THEY_ARE,
    CUTS,
    FRAMINGS,
    JUDGES,
    WIDE,
    Judge,
    Judged,
    run_judges,
    tabulate_judges,
)
from pneumonia.audits.reframing import reframe

CUT = Judge("negatives cut", "cut: top 25%", AS_THEY_ARE)


@pytest.fixture
def children():
    """Four negatives with a dark band (shoulders) on top, four positives without; the lungs below are alike."""
    images = np.full((8, 40, 40, 1), 120, np.uint8)
    images[::2, :8] = 20
    return images, np.arange(8) % 2


def reads_the_top(images):
    """A network that knows nothing but how bright the uppermost rows are."""
    return images[:, :4].mean(axis=(1, 2, 3)) / 255


def test_a_network_that_reads_the_framing_is_perfect_until_the_judge_looks(children):
    table = tabulate_judges(run_judges(reads_the_top, *children, [JUDGES[0], CUT]), threshold=0.2)
    assert table["kind"].tolist() == ["untouched", "negatives cut"]
    assert table["auc"].tolist() == [1.0, 0.5]
    assert table["sensitivity"].tolist() == [1.0, 1.0]
    assert table["specificity"].tolist() == [1.0, 0.0]
    assert table["n"].tolist() == [8, 8]


def test_only_the_class_that_the_judge_names_is_reframed(children):
    images, target = children
    brightness = run_judges(lambda part: part.mean(axis=(1, 2, 3)), images, target, [CUT])[CUT]
    assert brightness.target.tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert brightness.rows.tolist() == [0, 2, 4, 6, 1, 3, 5, 7]
    shown = reframe(images[brightness.rows[:4]], FRAMINGS["cut: top 25%"])
    assert brightness.probability.tolist() == [*shown.mean(axis=(1, 2, 3)), 120.0, 120.0, 120.0, 120.0]


def test_each_class_is_predicted_once_under_each_framing(children):
    calls = []

    def count(images):
        calls.append(len(images))
        return np.zeros(len(images))

    run_judges(count, *children)
    narrow, wide = len(CUTS), len(WIDE)
    zooms = sum(judge.kind == "all zoomed" for judge in JUDGES)
    assert len(calls) == 2 + narrow + wide + 2 * zooms


def test_the_cuts_are_undone_by_the_framings_of_the_mirror():
    for judge in (judge for judge in JUDGES if judge.kind == "both"):
        narrow, wide = FRAMINGS[judge.negatives], FRAMINGS[judge.positives]
        assert wide.top * (narrow.bottom - narrow.top) == pytest.approx(-narrow.top)


def test_a_probability_at_the_threshold_is_called_positive():
    judged = Judged(np.array([0, 0, 1, 1]), np.array([0.1, 0.5, 0.4, 0.9]), np.arange(4))
    row = tabulate_judges({JUDGES[0]: judged}).iloc[0]
    assert (row["auc"], row["sensitivity"], row["specificity"]) == (0.75, 0.5, 0.5)
