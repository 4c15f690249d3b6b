"""The report and the model card: style of figures, findings, rendering, templates."""
