"""Metrics of predictions, their intervals, curves, calibration and thresholds."""
