"""Centres found in two steps: as many as asked for, near what they stand for, and found again."""

import numpy as np
import pytest

from rewriter.retrieval.centres import quantizer_of

N_CLUSTERS, DIM = 60, 32


@pytest.fixture(scope="module")
def clusters(unit) -> np.ndarray:
    """Vectors (60 * 40, dim) around sixty planted centres, those of one together."""
    vectors = np.repeat(unit(N_CLUSTERS, DIM, 0), 40, axis=0) + 0.1 * unit(N_CLUSTERS * 40, DIM, 1)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize("n_lists", [1, 2, 60, 150])
def test_there_are_about_as_many_centres_as_asked_for_each_of_length_1(clusters, n_lists: int):
    quantizer = quantizer_of(clusters, n_lists)
    assert quantizer.ntotal == pytest.approx(n_lists, rel=0.1)
    centres = quantizer.reconstruct_n(0, quantizer.ntotal)
    np.testing.assert_allclose(np.linalg.norm(centres, axis=1), 1.0, atol=0.01)  # kept with 8 bits a dimension


def test_the_centre_found_for_a_vector_is_mostly_the_nearest_and_of_its_own_cluster(clusters):
    quantizer = quantizer_of(clusters, 2 * N_CLUSTERS)
    centres = quantizer.reconstruct_n(0, quantizer.ntotal)
    found = quantizer.search(clusters, 1)[1][:, 0]
    exact = (clusters @ centres.T).argmax(axis=1)
    assert np.mean(found == exact) > 0.98
    assert np.einsum("nd,nd->n", clusters, centres[found]).mean() > 0.98  # 0.995 to the planted one
    assert np.mean(clusters @ centres.mean(axis=0)) < 0.5  # they are apart


def test_fewer_vectors_than_centres_are_centres_themselves(unit):
    vectors = unit(5, DIM, 0)
    quantizer = quantizer_of(vectors, 9)
    assert quantizer.ntotal == 5
    np.testing.assert_array_equal(np.sort(quantizer.search(vectors, 1)[1][:, 0]), np.arange(5))
