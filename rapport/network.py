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
AT_ONCE = 200_000
"""Nodes and ties, counted once per pivot, that are walked together: they stay in the cache."""


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
    at_once = max(1, AT_ONCE // (size + len(neighbors)))
    total = np.zeros(size)
    for first in range(0, len(pivots), at_once):
        for shares in _dependencies(size, pivots[first : first + at_once], starts, neighbors):
            total += shares
    pairs = max((size - 1) * (size - 2), 1)
    return total * (size / max(len(pivots), 1)) / pairs


def _dependencies(size: int, pivots: Nodes, starts: Nodes, neighbors: Nodes) -> Values:
    """Return for each pivot and node the sum over all targets of its share in the ways from there.

    Each pivot has a copy of the network to itself, and all are walked at once: where networks are
    small, steps cost more than what they reach.
    """
    copies = size * np.arange(len(pivots))
    distance = np.full(size * len(pivots), -1, dtype=np.int64)
    distance[copies + pivots] = 0
    ways = np.zeros(distance.size)
    ways[copies + pivots] = 1.0
    steps: list[tuple[Nodes, Nodes]] = []
    front = copies + pivots
    while front.size:
        tails, heads = _ties_of(front, size, starts, neighbors)
        reached = len(steps) + 1
        distance[heads[distance[heads] < 0]] = reached
        onward = distance[heads] == reached
        tails, heads = tails[onward], heads[onward]
        ways += np.bincount(heads, ways[tails], distance.size)
        front = np.flatnonzero(distance == reached)
        steps.append((tails, heads))
    share = np.zeros(distance.size)
    for tails, heads in reversed(steps):
        share += np.bincount(tails, ways[tails] / ways[heads] * (1 + share[heads]), distance.size)
    share[copies + pivots] = 0.0
    return share.reshape(len(pivots), size)


def _ties_of(front: Nodes, size: int, starts: Nodes, neighbors: Nodes) -> tuple[Nodes, Nodes]:
    """Return both ends of all ties that leave the nodes of `front`, each in its copy."""
    nodes = front % size
    counts = starts[nodes + 1] - starts[nodes]
    tails = np.repeat(front, counts)
    before = np.cumsum(counts) - counts
    ties = np.arange(tails.size) + np.repeat(starts[nodes] - before, counts)
    return tails, np.repeat(front - nodes, counts) + neighbors[ties]
