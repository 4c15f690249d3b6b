import json

import numpy as np
import pytest

from pneumonia.predictor.image_range import (
    FEATURES,
    GREY,
    KINDS,
    conformal_bound,
    describe_grey,
    distances,
    fit_distance,
    fit_range,
    range_distances,
)


@pytest.fixture(scope="module")
def cloud():
    """Points with standard deviations 3, 2, 1, 1, 1, 1 along the axes, around (5, 0, ...), [2000, 6]."""
    rng = np.random.default_rng(0)
    return (rng.normal(size=(2000, 6)) * [3, 2, 1, 1, 1, 1] + [5, 0, 0, 0, 0, 0]).astype(np.float32)


def test_the_distance_is_that_of_mahalanobis(cloud):
    record = fit_distance(cloud, 64)
    centred = cloud - cloud.mean(axis=0)
    exact = np.einsum("ij,jk,ik->i", centred, np.linalg.inv(np.cov(cloud.T, bias=True)), centred)

    assert distances(cloud, record) == pytest.approx(exact, rel=1e-3)
    assert distances(cloud, record).mean() == pytest.approx(6, rel=1e-4)  # the number of dimensions


def test_few_images_keep_few_directions_and_every_distance_finite(cloud):
    record = fit_distance(cloud[:20], 64)
    assert len(record["variances"]) * 3 // 4 // 4 == 2  # base64 of two float32
    assert np.isfinite(distances(cloud, record)).all()


def test_what_never_varied_does_not_divide_by_zero():
    constant = np.ones((30, 4), np.float32)
    assert distances(constant, fit_distance(constant, 64)) == pytest.approx(np.zeros(30))


def test_the_bound_is_the_order_statistic_that_one_in_a_hundred_new_images_exceeds(cloud):
    image_range = fit_range({GREY: cloud[:1000]}, {GREY: cloud[1000:]})
    distance = range_distances({GREY: cloud[1000:]}, image_range)

    assert distance.shape == (1000, 1)
    assert (distance > 1).sum() == 9  # 991 of 1,001 are at or below it: the 1,000 and the new one
    assert image_range["fitted_on"] == {"train": 1000, "val": 1000, "val_groups": 1000}


@pytest.mark.parametrize(("n_groups", "size"), [(20, 1), (100, 1), (500, 1), (120, 5)])
def test_of_new_images_at_most_one_in_a_hundred_is_outside_however_few_there_were(n_groups, size):
    rng = np.random.default_rng(4)
    outside = []
    for _ in range(1000):
        group = np.repeat(np.arange(n_groups + 1), size)
        distance = np.exp(rng.normal(size=n_groups + 1)[group] + 0.1 * rng.normal(size=len(group)))
        is_new = group == n_groups
        outside.append(distance[is_new][0] > conformal_bound(distance[~is_new], group[~is_new]))
    assert np.mean(outside) <= 0.01 + 2 * np.sqrt(0.01 * 0.99 / 1000)


def test_images_of_one_group_count_as_one():
    distance, group = np.arange(1.0, 201.0), np.arange(200)
    alone = conformal_bound(distance, group)
    assert alone == pytest.approx(199)  # 198.99 of 201, rounded up
    assert conformal_bound(np.repeat(distance, 3), np.repeat(group, 3)) == pytest.approx(alone)


def test_the_larger_distance_is_that_of_the_description_that_is_farther(cloud):
    parts = {FEATURES: cloud[:1000], GREY: cloud[:1000]}
    image_range = fit_range(parts, dict.fromkeys(parts, cloud[1000:]))
    near, far = cloud[:1], cloud[:1] + 100

    assert range_distances({FEATURES: near, GREY: far}, image_range).argmax() == KINDS.index(GREY)
    assert range_distances({FEATURES: far, GREY: near}, image_range).argmax() == KINDS.index(FEATURES)


def test_the_record_survives_json(cloud):
    image_range = fit_range({GREY: cloud[:1000]}, {GREY: cloud[1000:]})
    again = json.loads(json.dumps(image_range))
    assert (range_distances({GREY: cloud}, again) == range_distances({GREY: cloud}, image_range)).all()


@pytest.mark.parametrize("size", [32, 50, 128])
def test_grey_values_are_described_at_every_size(size):
    ramp = np.tile(np.linspace(0, 255, size).astype(np.uint8), (2, size, 1))[..., None]
    description = describe_grey(ramp)

    assert description.shape == (2, 263)
    rows = description[0, :256].reshape(16, 16)
    assert np.diff(rows, axis=1).min() > 0  # brighter to the right
    assert np.abs(rows - rows[0]).max() < 1e-5
    assert description[0, 259] == pytest.approx(0.5, abs=0.01)  # mean brightness


def test_inverted_and_blank_images_lie_far_from_ordinary_ones():
    rng = np.random.default_rng(2)
    chest = 60 + 120 * np.exp(-((np.linspace(-1, 1, 64)[:, None] ** 2 + np.linspace(-1, 1, 64) ** 2) / 0.5))
    images = (chest + rng.normal(0, 8, (400, 64, 64))).clip(0, 255).astype(np.uint8)[..., None]
    image_range = fit_range({GREY: describe_grey(images[:300])}, {GREY: describe_grey(images[300:])})

    for other in (255 - images[:5], np.full((5, 64, 64, 1), 90, np.uint8)):
        assert (range_distances({GREY: describe_grey(other)}, image_range) > 1).all()
