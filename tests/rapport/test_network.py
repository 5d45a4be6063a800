"""Centralities against published figures and against networkx."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rapport.network import Nodes, betweenness, pagerank


def arrays(graph: nx.Graph) -> tuple[int, Nodes, Nodes]:
    ties = np.array(sorted(graph.edges), dtype=np.int64).reshape(-1, 2)
    return graph.number_of_nodes(), ties[:, 0], ties[:, 1]


@pytest.fixture(scope="module")
def karate() -> nx.Graph:
    return nx.karate_club_graph()


def test_the_karate_club_has_its_published_pagerank(karate: nx.Graph) -> None:
    size, one, other = arrays(karate)
    rank = pagerank(size, one, other, np.ones(len(one)))
    top = np.argsort(-rank)[:3]
    assert [(int(node) + 1, round(rank[node], 4)) for node in top] == [
        (34, 0.1009), (1, 0.0970), (33, 0.0717),
    ]  # fmt: skip
    assert rank.sum() == pytest.approx(1, abs=1e-12)


def test_the_karate_club_has_its_published_betweenness(karate: nx.Graph) -> None:
    size, one, other = arrays(karate)
    between = betweenness(size, one, other, np.arange(size))
    top = np.argsort(-between)[:3]
    assert [(int(node) + 1, round(between[node], 4)) for node in top] == [
        (1, 0.4376), (34, 0.3041), (33, 0.1452),
    ]  # fmt: skip


def power_iteration(graph: nx.Graph) -> np.ndarray:
    """PageRank as the solution of its linear equations, by another road than iteration."""
    matrix = nx.to_numpy_array(graph, weight="weight")
    given = matrix.sum(axis=1)
    size = len(matrix)
    moves = np.where(given[:, None] > 0, matrix / np.where(given, given, 1)[:, None], 1 / size)
    return np.linalg.solve(np.eye(size) - 0.85 * moves.T, np.full(size, 0.15 / size))


@settings(max_examples=60)
@given(seed=st.integers(0, 10**6), size=st.integers(2, 30), density=st.floats(0.02, 0.5))
def test_random_networks_agree_with_networkx(seed: int, size: int, density: float) -> None:
    graph = nx.gnp_random_graph(size, density, seed=seed)
    dice = np.random.default_rng(seed)
    for _, _, values in graph.edges(data=True):
        values["weight"] = float(dice.integers(1, 10))
    size, one, other = arrays(graph)
    weight = np.array([graph.edges[a, b]["weight"] for a, b in zip(one, other, strict=True)])
    rank = pagerank(size, one, other, weight)
    assert rank == pytest.approx(power_iteration(graph), abs=1e-9)
    between = betweenness(size, one, other, np.arange(size))
    expected = nx.betweenness_centrality(graph)
    assert between == pytest.approx([expected[node] for node in range(size)], abs=1e-9)


def test_pivots_estimate_betweenness_without_bias() -> None:
    size, one, other = arrays(nx.barabasi_albert_graph(120, 2, seed=3))
    exact = betweenness(size, one, other, np.arange(size))
    parts = [betweenness(size, one, other, np.arange(n, size, 4)) for n in range(4)]
    assert np.mean(parts, axis=0) == pytest.approx(exact, abs=1e-12)
    assert all(np.argmax(exact) in np.argsort(-part)[:3] for part in parts)


def test_a_person_all_ways_lead_over_has_all_of_them() -> None:
    hub = np.zeros(5, dtype=np.int64)
    between = betweenness(6, hub, np.arange(1, 6), np.arange(6))
    assert list(between) == [1, 0, 0, 0, 0, 0]
