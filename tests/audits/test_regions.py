import numpy as np
import pytest

from pneumonia.audits.regions import Region, hide


@pytest.mark.parametrize(("view", "expected"), [(Region.CENTRE_HIDDEN, [10, 10]), (Region.BORDER_HIDDEN, [200, 200])])
def test_a_hidden_part_takes_the_mean_of_the_rest(view, expected):
    image = np.full((1, 10, 10, 1), 10, np.uint8)
    image[0, 2:8, 2:8] = 200
    hidden = hide(image, 0.6, view)
    assert hidden.dtype == np.uint8
    assert [hidden[0, 0, 0, 0], hidden[0, 5, 5, 0]] == expected
    assert image[0, 0, 0, 0] == 10


def test_at_least_one_pixel_of_rim_is_left_to_take_the_mean_of():
    hidden = hide(np.arange(100, dtype=np.uint8).reshape(1, 10, 10, 1), 0.99, Region.CENTRE_HIDDEN)
    assert len(np.unique(hidden[0, 1:-1, 1:-1])) == 1
    assert hidden[0, 0, 3, 0] == 3
