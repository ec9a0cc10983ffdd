"""Regions of a probability map: connected pixels, and the smallest, possibly rotated, rectangle around each.

A text detector (differentiable binarisation, Liao et al., 2020) returns a map in which each line of text is a shrunken
blob; a rectangle around the blob, grown again, is the line.
"""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ANGLES = np.arange(-44, 46) * np.pi / 180
UPRIGHT_GAIN = 0.95
"""A rotated rectangle is used only below this share of the upright one's area, as pixel edges are ragged."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle: its middle, width, height, and angle in radians, in pixels of the map; and its mean probability."""

    x: float
    y: float
    width: float
    height: float
    angle: float
    score: float

    def grow(self, ratio: float) -> "Box":
        """The box with every side moved out by ratio * area / perimeter, which reverses the detector's shrinking."""
        by = ratio * self.width * self.height / (self.width + self.height)
        return Box(self.x, self.y, self.width + by, self.height + by, self.angle, self.score)

    def scale(self, across: float, down: float) -> "Box":
        """The box in an image scaled by ``across`` and ``down``."""
        return Box(self.x * across, self.y * down, self.width * across, self.height * down, self.angle, self.score)


def find_boxes(probabilities: NDArray[np.float32], threshold: float) -> list[Box]:
    """A rectangle around each set of connected pixels above a threshold, uppermost first."""
    rows, starts, ends = find_runs(probabilities > threshold)
    sums = np.concatenate([[0.0], np.cumsum(probabilities.astype(np.float64).reshape(-1))])
    offset = rows * probabilities.shape[1]
    weight, sizes = sums[offset + ends] - sums[offset + starts], ends - starts
    return [
        fit_rectangle(rows[part], starts[part], ends[part], float(weight[part].sum() / sizes[part].sum()))
        for part in group_runs(rows, starts, ends)
    ]


def find_runs(mask: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Horizontal runs of set pixels: row, first column, column after the last; in reading order."""
    edges = np.diff(np.pad(mask, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    rows, starts = np.nonzero(edges == 1)
    return rows, starts, np.nonzero(edges == -1)[1]


def group_runs(rows: NDArray[np.intp], starts: NDArray[np.intp], ends: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """Groups of runs that touch, corners included, in adjacent rows."""
    parent = list(range(len(rows)))

    def root(run: int) -> int:
        while parent[run] != run:
            parent[run] = parent[parent[run]]
            run = parent[run]
        return run

    above = 0
    places = list(zip(rows.tolist(), starts.tolist(), ends.tolist(), strict=True))
    for run, (row, start, end) in enumerate(places):
        while places[above][0] < row - 1 or (places[above][0] == row - 1 and places[above][2] < start):
            above += 1
        other = above
        while places[other][0] == row - 1 and places[other][1] <= end:
            parent[root(run)] = root(other)
            other += 1
    groups: defaultdict[int, list[int]] = defaultdict(list)
    for run in range(len(rows)):
        groups[root(run)].append(run)
    return [np.array(group, np.intp) for group in groups.values()]


def fit_rectangle(rows: NDArray[np.intp], starts: NDArray[np.intp], ends: NDArray[np.intp], score: float) -> Box:
    """The smallest rectangle around some runs, found by trying every degree."""
    x = np.concatenate([starts, starts, ends, ends]).astype(np.float64)
    y = np.concatenate([rows, rows + 1, rows, rows + 1]).astype(np.float64)
    cosines, sines = np.cos(ANGLES)[:, None], np.sin(ANGLES)[:, None]
    along, across = x * cosines + y * sines, y * cosines - x * sines
    width, height = np.ptp(along, axis=1), np.ptp(across, axis=1)
    areas = width * height
    upright = int(np.flatnonzero(ANGLES == 0)[0])
    best = int(areas.argmin())
    if areas[best] > UPRIGHT_GAIN * areas[upright]:
        best = upright
    u = (along[best].max() + along[best].min()) / 2
    v = (across[best].max() + across[best].min()) / 2
    c, s = float(cosines[best, 0]), float(sines[best, 0])
    return Box(u * c - v * s, u * s + v * c, float(width[best]), float(height[best]), float(ANGLES[best]), score)
