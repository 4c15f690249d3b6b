"""Networks: building, fitting, averaging, predicting, explaining, and their lineage."""
