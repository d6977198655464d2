"""Antawasi: the open warehouse of Peru's artisanal and small-scale copper value chain."""

import os

# Nothing here multiplies matrices; numpy would start a thread per core for it, 0.1 s of CPU in every process.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
