"""Who stands where in a network of ties.

Belongs here: centralities with a published definition, over arrays.
Does not belong here: what a tie is (`dbt_project`, `int_ties__faded`), names of people.

Nodes are numbers from 0; a tie goes both ways and stands once in `one` and `other`. The same input
gives the same bytes: sums are taken in the order of the ties.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Nodes = NDArray[np.int64]
Values = NDArray[np.float64]

DAMPING = 0.85
STEPS = 200
CLOSE = 1e-13
"""Sum of all changes of a step, below which PageRank has settled."""


def pagerank(size: int, one: Nodes, other: Nodes, weight: Values) -> Values:
    """Return the share of attention of each node; they sum to 1.

    Brin and Page (1998) with damping 0.85: attention flows along the ties by their `weight`, what
    a node without ties holds goes to all. `size` is the number of nodes, at least 1.
    """
    tails, heads, weights = np.r_[one, other], np.r_[other, one], np.r_[weight, weight]
    given = np.bincount(tails, weights, size)
    shares = weights / given[tails]
    rank = np.full(size, 1 / size)
    for _ in range(STEPS):
        flow = np.bincount(heads, rank[tails] * shares, size)
        alone = rank[given == 0].sum()
        following = (1 - DAMPING + DAMPING * alone) / size + DAMPING * flow
        change = np.abs(following - rank).sum()
        rank = following
        if change < CLOSE:
            break
    return rank


def betweenness(size: int, one: Nodes, other: Nodes, pivots: Nodes) -> Values:
    """Return the share of all other pairs whose shortest ways lead over each node.

    Brandes (2001), each tie one step. Ways are taken from `pivots` only and scaled up: with all
    nodes as pivots the result is exact, with some of them it is an estimate without bias (Brandes
    and Pich, 2007).
    """
    tails, heads = np.r_[one, other], np.r_[other, one]
    order = np.argsort(tails, kind="stable")
    neighbors = heads[order]
    starts = np.searchsorted(tails[order], np.arange(size + 1))
    total = np.zeros(size)
    for pivot in pivots:
        total += _dependency(size, int(pivot), starts, neighbors)
    pairs = max((size - 1) * (size - 2), 1)
    return total * (size / max(len(pivots), 1)) / pairs


def _dependency(size: int, pivot: int, starts: Nodes, neighbors: Nodes) -> Values:
    """Return for each node the sum over all targets of its share in the ways from `pivot`."""
    distance = np.full(size, -1, dtype=np.int64)
    distance[pivot] = 0
    ways = np.zeros(size)
    ways[pivot] = 1.0
    steps: list[tuple[Nodes, Nodes]] = []
    front = np.array([pivot], dtype=np.int64)
    while front.size:
        tails, heads = _ties_of(front, starts, neighbors)
        reached = len(steps) + 1
        distance[heads[distance[heads] < 0]] = reached
        onward = distance[heads] == reached
        tails, heads = tails[onward], heads[onward]
        ways += np.bincount(heads, ways[tails], size)
        front = np.flatnonzero(distance == reached)
        steps.append((tails, heads))
    share = np.zeros(size)
    for tails, heads in reversed(steps):
        share += np.bincount(tails, ways[tails] / ways[heads] * (1 + share[heads]), size)
    share[pivot] = 0.0
    return share


def _ties_of(front: Nodes, starts: Nodes, neighbors: Nodes) -> tuple[Nodes, Nodes]:
    """Return both ends of all ties that leave the nodes of `front`."""
    counts = starts[front + 1] - starts[front]
    tails = np.repeat(front, counts)
    before = np.repeat(np.cumsum(counts) - counts, counts)
    offsets = np.arange(tails.size) - before
    return tails, neighbors[np.repeat(starts[front], counts) + offsets]
