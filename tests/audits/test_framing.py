"""Judges that see framing."""

import numpy as np
import pandas as pd
import pytest

from pneumonia.audits.framing import (
    CUTS,
    FRAMINGS,
    JUDGES,
    STYLES,
    UNTOUCHED,
    WIDE,
    ZOOMS,
    Change,
    FramingJudge,
    Shown,
    cut,
    images_of,
    reframe,
    score_framings,
    tabulate_judges,
    widen,
    zoom,
)
from pneumonia.audits.style import restyle

CUT = FramingJudge(Change.NEGATIVES_CUT, Shown.CUT_25, Shown.WHOLE)


@pytest.fixture
def children():
    """Four negatives with a dark band (shoulders) on top, four positives without; the lungs below are alike."""
    images = np.full((8, 40, 40, 1), 120, np.uint8)
    images[::2, :8] = 20
    return images, pd.DataFrame({"path": list("abcdefgh"), "group": list("abcdefgh"), "target": np.arange(8) % 2})


def read_the_top(images):
    """A network that sees only how bright the top rows are."""
    return images[:, :4].mean(axis=(1, 2, 3)) / 200


def read_the_tone(images):
    """A network that sees only how bright an image is, to ten grey levels."""
    return np.round(images.mean(axis=(1, 2, 3)) / 10) / 30


def test_a_network_that_reads_the_framing_is_perfect_until_the_judge_looks(children):
    judges = [JUDGES[0], CUT]
    table = tabulate_judges(score_framings(read_the_top, *children, 10, judges), judges)
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
    assert len(scores) == 4 * (2 + len(CUTS) + len(WIDE) + 2 * len(ZOOMS) + len(STYLES))
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


def test_a_network_that_reads_grey_levels_is_found_out_by_the_tone_of_the_positives(children):
    images, rows = children
    images[1::2] += 60  # the device of the positives is brighter
    judges = [JUDGES[0], FramingJudge(Change.NEGATIVES_STYLED, Shown.TONED, Shown.WHOLE)]
    table = tabulate_judges(score_framings(read_the_tone, images, rows, 10, judges), judges)
    assert table["auc"].tolist() == [1.0, 0.5]
    assert table["specificity"].tolist() == [1.0, 0.0]


def test_a_style_is_that_of_an_image_of_the_other_class_after_the_cut(children):
    images, rows = children
    images[1::2] = 200  # every positive is alike, so that any of them is the model
    models = images[1::2]
    judges = [FramingJudge(Change.NEGATIVES_STYLED, shown, Shown.WHOLE) for shown in STYLES]
    seen = []
    score_framings(lambda part: seen.append(part) or np.zeros(len(part)), images, rows, 10, judges)
    cut_off = reframe(images[::2], CUTS[Shown.CUT_ROUND])
    expected = [
        restyle(images[::2], models, sharpness=False),
        restyle(images[::2], models, sharpness=True),
        restyle(cut_off, models, sharpness=True),
        models,
    ]
    for part, wanted in zip(seen, expected, strict=True):
        np.testing.assert_array_equal(part, wanted)


def test_a_probability_at_the_threshold_is_called_positive():
    scores = pd.DataFrame({"target": [0, 0, 1, 1], "shown": "whole", "probability": [0.1, 0.5, 0.4, 0.9]})
    row = tabulate_judges(scores, JUDGES[:1]).iloc[0]
    assert (row["auc"], row["sensitivity"], row["specificity"]) == (0.75, 0.5, 0.5)


def test_every_way_of_showing_has_a_window_and_a_label():
    assert list(FRAMINGS) == list(Shown)


@pytest.fixture
def ramps() -> np.ndarray:
    """Two images of 100 x 100: grey levels rise by one per row in the first, per column in the second."""
    rows = np.repeat(np.arange(100, dtype=np.uint8)[:, None], 100, axis=1)
    return np.stack([rows, rows.T])[..., None]


def test_the_untouched_framing_changes_nothing(ramps):
    np.testing.assert_array_equal(reframe(ramps, UNTOUCHED), ramps)
    np.testing.assert_array_equal(reframe(ramps, cut(0, 0, 1)), ramps)


def test_a_cut_takes_rows_off_top_and_bottom_and_columns_off_both_sides(ramps):
    rows, columns = reframe(ramps, cut(0.2, 0.1, 0.9))[..., 0]
    assert (rows[0, 50], rows[50, 50], rows[-1, 50]) == (20, 55, 89)
    assert (columns[50, 0], columns[50, -1]) == (10, 89)


def test_shape_type_and_input_are_kept(ramps):
    before = ramps.copy()
    reframed = reframe(ramps, zoom(0.75))
    assert reframed.dtype == np.uint8
    assert reframed.shape == ramps.shape
    np.testing.assert_array_equal(ramps, before)


def test_widening_undoes_a_cut_but_for_what_the_cut_removed(ramps):
    framing = cut(0.25, 0.10, 1.0)
    again = reframe(reframe(ramps, framing), widen(framing)).astype(int)
    kept = (slice(None), slice(28, 97), slice(13, 87))
    assert np.abs(again[kept] - ramps[kept]).max() <= 1


def test_widening_a_cut_of_a_quarter_adds_a_third_of_the_height_on_top():
    wide = widen(cut(0.25, 0, 1))
    assert (wide.top, wide.bottom, wide.left, wide.right) == pytest.approx((-1 / 3, 1, 0, 1))


def test_zooming_out_shrinks_the_image_and_adds_a_black_border():
    white = np.full((1, 80, 80, 1), 255, np.uint8)
    small = reframe(white, zoom(0.75, "black"))[0, ..., 0]
    assert small[11:69, 11:69].min() == 255
    assert small[:9].max() == small[-9:].max() == small[:, :9].max() == 0


def test_a_reflected_border_continues_the_image(ramps):
    rows = reframe(ramps, zoom(0.75))[0, ..., 0].astype(int)
    middle = rows[:, 50]
    assert middle[0] == pytest.approx(16, abs=1)
    assert middle[12:88].min() < 2
    assert np.abs(np.diff(middle)).max() <= 2


def test_zooming_in_shows_the_inner_part(ramps):
    rows = reframe(ramps, zoom(1.25))[0, ..., 0]
    assert (rows[0, 0], rows[-1, 0]) == (10, 89)


def test_an_empty_window_is_refused():
    with pytest.raises(ValueError, match="shows nothing"):
        cut(0.5, 0, 0.5)


def test_every_cut_of_the_audit_can_be_widened_without_reflecting_twice():
    assert all(max(-w.top, w.bottom - 1, -w.left, w.right - 1) < 1 for w in map(widen, CUTS.values()))
