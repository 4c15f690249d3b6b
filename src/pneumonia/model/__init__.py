"""Networks: building, fitting, averaging, predicting, explaining, and what they were made from."""
