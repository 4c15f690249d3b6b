import numpy as np
import pandas as pd
import pytest

from pneumonia.audits.maps import boxes_in_frame, hits_of_others, peak_of, point_at


def boxes(*values):
    return pd.DataFrame([values], columns=["left", "top", "right", "bottom"])


@pytest.mark.parametrize(
    ("resize", "expected"),
    [
        ("squeeze", [0.5, 0.25, 1.0, 0.5]),
        ("pad", [0.5, 0.25, 0.75, 0.5]),  # 50 pixels of black on either side of 100
        ("crop", [0.5, 0.0, 1.0, 0.5]),  # 50 pixels of 200 cut off above and below
    ],
)
def test_boxes_follow_the_image_into_the_square(resize, expected):
    np.testing.assert_allclose(boxes_in_frame(boxes(0.5, 0.25, 1.0, 0.5), 100, 200, resize), [expected])


@pytest.mark.parametrize(("row", "column", "hit"), [(2, 7, True), (2, 4, False), (5, 7, False)])
def test_a_peak_hits_where_it_lies_in_a_box(row, column, hit):
    cam = np.zeros((10, 10))
    cam[row, column] = 1
    assert point_at(cam, np.array([[0.5, 0.0, 1.0, 0.5]])) == (hit, 0.25)


def test_the_peaks_of_other_maps_are_what_a_map_without_an_image_would_hit():
    frames = [np.array([[0.0, 0.0, 0.5, 1.0]]), np.array([[0.5, 0.0, 1.0, 1.0]]), np.array([[0.0, 0.0, 0.5, 0.5]])]
    peaks = np.array([[0.2, 0.1], [0.2, 0.9], [0.7, 0.2]])  # of which the first two lie on their lesions
    assert hits_of_others(peaks, frames) == pytest.approx((1 / 2 + 0 + 1 / 2) / 3)
    assert hits_of_others(peaks[:1], frames[:1]) is None


def test_an_empty_map_hits_nothing():
    assert point_at(np.zeros((4, 4)), np.array([[0.0, 0.0, 1.0, 1.0]])) == (False, 1.0)


def test_the_peak_of_a_plateau_is_its_middle():
    cam = np.zeros((10, 10))
    cam[2:5, 4:9] = 1
    assert peak_of(cam).tolist() == [0.35, 0.65]
    assert point_at(cam, np.array([[0.4, 0.2, 0.5, 0.5]])) == (False, pytest.approx(0.03))  # has only its corner


def test_boxes_that_overlap_count_once():
    assert point_at(np.ones((10, 10)), np.array([[0, 0, 0.5, 1], [0, 0, 0.5, 1]]))[1] == 0.5
