"""From chest radiographs to a pneumonia classifier and a report that can be checked."""

import os

# oneDNN's kernels, which TensorFlow leaves off on processors without AVX-512: a training step on AVX2 takes a quarter
# less time with them. The variable is read when TensorFlow is first imported.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

__version__ = "0.1.0"
