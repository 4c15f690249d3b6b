"""Figures of the training pipeline."""

import pandas as pd

from pneumonia.base.annotations import Figure

METRIC_TITLES = {
    "log_loss": "log-loss",
    "auc": "AUC",
    "accuracy": "accuracy",
    "precision": "precision",
    "recall": "recall (sensitivity)",
}


def draw_training_curves(training_history: pd.DataFrame) -> Figure:
    """Draw each metric over the epochs, for train (augmented images) and val, and mark the epochs kept."""
    from pneumonia.report.style import SPLIT_COLOURS, new_figure

    figure, axes = new_figure(10.5, 5.6, 2, 3)
    kept = sorted(set(training_history.loc[training_history["kept"] == 1, "epoch"]))
    for panel, (metric, title) in zip(axes.flat, METRIC_TITLES.items(), strict=False):
        for number, history in training_history.groupby("member"):
            for split, column in (("train", metric), ("val", f"val_{metric}")):
                label = split if number == 1 else None
                panel.plot(history["epoch"], history[column], color=SPLIT_COLOURS[split], label=label)
        for epoch in kept:
            label = f"epoch kept: {', '.join(map(str, kept))}" if epoch == kept[0] else None
            panel.axvline(epoch, color="0.6", linewidth=0.8, linestyle="--", label=label)
        panel.set_title(title)
        panel.set_xlabel("epoch")
        panel.xaxis.get_major_locator().set_params(integer=True)
    axes.flat[-1].set_axis_off()
    handles, labels = axes.flat[0].get_legend_handles_labels()
    members = training_history["member"].nunique()
    judged = "val: images as they are, weights as saved"
    if members > 1:
        judged = f"val: each of the {members} members on its own fold of train,\nimages as they are, weights as saved"
    axes.flat[-1].legend(handles, labels, loc="center left", title=f"train: images and weights as trained\n{judged}")
    return figure
