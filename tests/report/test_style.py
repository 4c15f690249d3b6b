import io

from pneumonia.report.style import new_figure


def test_dollars_in_a_label_are_no_formula():
    figure, axes = new_figure()
    axes.set_title(r"called $\frac{COVID$ or $5 to $10")
    axes.plot([0, 1], label="$NORMAL_$")
    axes.set_yticks([0, 1], ["$a^$", "b"])
    axes.annotate("$x_$", (0, 0))
    axes.legend()
    figure.savefig(io.BytesIO(), format="png")
