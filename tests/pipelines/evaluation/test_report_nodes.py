from pathlib import Path

from pneumonia.pipelines.evaluation import report_nodes


def test_dev(report, material):
    Path("/tmp/report.html").write_text(report)
    Path("/tmp/card.md").write_text(report_nodes.write_model_card(**material, model_summary="summary"))
