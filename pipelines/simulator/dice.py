"""Random draws that depend on the seed, a name and a chunk's number alone: the same on any number of cores."""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipelines.simulator.parameters import Range

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_P95 = 1.6448536269514722  # the 0.95 quantile of the standard normal distribution


def stream(seed: int, name: str, chunk: int = 0) -> np.random.Generator:
    """The generator of one named part of one chunk; parts never share draws, so one can change without the others."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, zlib.crc32(name.encode()), chunk])))


def lognormal(rng: np.random.Generator, median: ArrayLike, p95: ArrayLike, size: int) -> Floats:
    """Log-normal draws by their median and 95th percentile."""
    center = np.log(np.asarray(median, dtype=float))
    return np.exp(rng.normal(center, (np.log(np.asarray(p95, dtype=float)) - center) / _P95, size))


def beta_between(
    rng: np.random.Generator, low: ArrayLike, high: ArrayLike, mean: ArrayLike, sd: ArrayLike, size: int
) -> Floats:
    """Beta draws on [low, high] by their mean and standard deviation (method of moments)."""
    low, high = np.asarray(low, dtype=float), np.asarray(high, dtype=float)
    width = high - low
    center = (np.asarray(mean, dtype=float) - low) / width
    spread = center * (1 - center) / (np.asarray(sd, dtype=float) / width) ** 2 - 1
    return low + width * rng.beta(center * spread, (1 - center) * spread, size)


def uniform(rng: np.random.Generator, band: Range, size: int) -> Floats:
    """Uniform draws within a band."""
    return rng.uniform(band.low, band.high, size)


def pick(rng: np.random.Generator, weights: ArrayLike, size: int) -> Ints:
    """Indices drawn with probability proportional to `weights`."""
    edges = np.cumsum(np.asarray(weights, dtype=float))
    return np.searchsorted(edges / edges[-1], rng.random(size), side="right").clip(max=len(edges) - 1)


def apportion(total: int, weights: ArrayLike) -> Ints:
    """`total` units shared in proportion to `weights` by largest remainders; they sum to `total` exactly."""
    shares = np.asarray(weights, dtype=float)
    exact = shares / shares.sum() * total
    parts = np.floor(exact).astype(np.int64)
    short = total - int(parts.sum())
    parts[np.argsort(-(exact - parts), kind="stable")[:short]] += 1
    return parts
