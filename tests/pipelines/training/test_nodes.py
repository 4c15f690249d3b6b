import keras
import pandas as pd

from pneumonia.pipelines.training.figures import METRIC_TITLES, draw_training_curves
from pneumonia.pipelines.training.nodes import describe_network

HISTORY = pd.DataFrame(
    {
        "epoch": [1, 2, 3],
        **{name: [0.5, 0.6, 0.7] for name in METRIC_TITLES},
        **{f"val_{name}": [0.4, 0.8, 0.6] for name in METRIC_TITLES},
        "kept": [0, 1, 0],
        "member": 1,
    }
)


def test_each_metric_is_drawn_for_train_and_val():
    panels = draw_training_curves(HISTORY).axes

    drawn = {panel.get_title(loc="left") or panel.get_title(): panel for panel in panels if panel.axison}
    assert list(drawn) == list(METRIC_TITLES.values())
    for panel in drawn.values():
        train, val, _ = panel.get_lines()
        assert list(train.get_ydata()) == [0.5, 0.6, 0.7]
        assert list(val.get_ydata()) == [0.4, 0.8, 0.6]


def test_the_kept_epoch_is_marked():
    panel = draw_training_curves(HISTORY).axes[0]

    assert list(panel.get_lines()[2].get_xdata()) == [2, 2]


def test_a_network_is_described_by_its_layers_and_parameters():
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, name="three")])

    text = describe_network(network)
    assert "three (Dense)" in text
    assert "Total params: 9" in text


def test_of_several_members_each_has_its_curve_and_its_mark():
    members = pd.concat([HISTORY, HISTORY.assign(member=2, kept=[0, 0, 1])])

    panel = draw_training_curves(members).axes[0]
    assert len(panel.get_lines()) == 2 * 2 + 2
    assert [list(line.get_xdata()) for line in panel.get_lines()[-2:]] == [[2, 2], [3, 3]]
    assert [text.get_text() for text in draw_training_curves(members).axes[-1].get_legend().get_texts()] == [
        "train", "val", "epoch kept: 2, 3",
    ]  # fmt: skip
