"""Tests; each process computes in one thread, since threads of several processes wait for each other on few cores."""

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"):
    os.environ.setdefault(_name, "1")  # before anything imports NumPy, LightGBM or TensorFlow
