import numpy as np
import pandas as pd
import pytest

from pneumonia.base.errors import UserError
from pneumonia.model.ensembles import plan_members


@pytest.fixture
def manifest():
    """12 groups of 3 images in train, a third of them NORMAL; 4 groups in val, 2 in test."""
    rows = [
        {
            "path": f"{split}/{group}_{image}.png",
            "label": "PNEUMONIA" if group % 3 else "NORMAL",
            "target": int(group % 3 > 0),
            "group": f"{split}{group}",
            "split": split,
        }
        for split, groups in (("train", 12), ("val", 4), ("test", 2))
        for group in range(groups)
        for image in range(3)
    ]
    return pd.DataFrame(rows)


def test_one_member_is_trained_on_train_and_judged_on_val(manifest):
    ((train, val),) = plan_members(manifest, 1, seed=0)

    assert set(train["split"]) == {"train"}
    assert len(train) == 36
    assert set(val["split"]) == {"val"}
    assert len(val) == 12


def test_each_training_image_is_in_one_fold_and_no_group_on_both_sides(manifest):
    plan = plan_members(manifest, 4, seed=0)

    folds = [path for _, fold in plan for path in fold["path"]]
    assert sorted(folds) == sorted(manifest.loc[manifest["split"] == "train", "path"])
    for train, fold in plan:
        assert not set(train["group"]) & set(fold["group"])
        assert len(train) + len(fold) == 36
        assert set(fold["target"]) == {0, 1}


def test_the_same_seed_gives_the_same_folds(manifest):
    first, again, other = (plan_members(manifest, 3, seed)[0][1]["path"].tolist() for seed in (0, 0, 1))

    assert first == again
    assert first != other


def test_more_members_than_groups_of_a_class_are_refused(manifest):
    with pytest.raises(UserError, match=r"training\.members is 5.* NORMAL .* 4 "):
        plan_members(manifest, 5, seed=0)


def test_an_averaged_model_survives_saving_and_loading(tmp_path):
    import keras

    from pneumonia.model.ensembles import average_networks
    from pneumonia.model.networks import make_network

    networks = []
    for seed in (0, 1):
        network = make_network("residual_cnn", 32, seed=seed)
        networks.append(keras.Model(network.input, network.output, name=f"member_{seed + 1}"))
    model = average_networks(networks, mirror=True)
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 1), dtype=np.uint8)
    views = (images, images[:, :, ::-1])
    expected = np.mean([network.predict(view, verbose=0) for network in networks for view in views], axis=0)

    model.save(tmp_path / "ensemble.keras")
    loaded = keras.models.load_model(tmp_path / "ensemble.keras")
    np.testing.assert_allclose(loaded.predict(images, verbose=0), expected, atol=1e-6)


def test_mirror_images_and_etiologies_are_averaged(tmp_path):
    import keras

    from pneumonia.model.ensembles import average_networks
    from pneumonia.model.networks import make_network

    network = make_network("residual_cnn", 32, etiologies=2)
    model = average_networks([network], mirror=True)
    image = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 1), dtype=np.uint8)
    both = (network.predict(view, verbose=0) for view in (image, image[:, :, ::-1]))
    expected = [np.mean(parts, axis=0) for parts in zip(*both, strict=True)]

    model.save(tmp_path / "views.keras")
    probability, etiology = keras.models.load_model(tmp_path / "views.keras").predict(image, verbose=0)
    np.testing.assert_allclose(probability, expected[0], atol=1e-5)
    np.testing.assert_allclose(etiology, expected[1], atol=1e-5)
