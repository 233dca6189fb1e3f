"""The index against a full sort."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from aecore.search import METRICS, Index, nearest_images

RNG = np.random.default_rng(0)
CODES = RNG.normal(size=(400, 7)).astype(np.float32)
QUERIES = RNG.normal(size=(30, 7)).astype(np.float32)


@pytest.mark.parametrize("k", [1, 4, 399, 400])
@pytest.mark.parametrize("metric", METRICS)
def test_the_nearest_are_those_of_a_full_sort(metric: str, k: int) -> None:
    distances, rows = Index(CODES, metric).nearest(QUERIES, k)
    full = cdist(QUERIES.astype(float), CODES.astype(float), metric)
    np.testing.assert_array_equal(rows, full.argsort(axis=1)[:, :k])
    np.testing.assert_allclose(distances, np.sort(full, axis=1)[:, :k], atol=1e-5)


@pytest.mark.parametrize("metric", METRICS)
def test_one_code_is_asked_for_like_a_batch_of_one(metric: str) -> None:
    index = Index(CODES, metric)
    distances, rows = index.nearest(QUERIES[3], 5)
    assert distances.shape == rows.shape == (5,)
    np.testing.assert_array_equal(rows, index.nearest(QUERIES[3:4], 5)[1][0])


@pytest.mark.parametrize("metric", METRICS)
def test_a_code_of_the_index_finds_itself_first(metric: str) -> None:
    distances, rows = Index(CODES, metric).nearest(CODES[17], 2)
    assert rows[0] == 17
    assert distances[0] == pytest.approx(0, abs=1e-3)
    assert distances[1] > 0.01


def test_fewer_codes_than_asked_for_give_as_many_as_there_are() -> None:
    distances, rows = Index(CODES[:3]).nearest(QUERIES[0], 10)
    assert len(distances) == 3
    assert sorted(rows) == [0, 1, 2]


def test_an_index_of_a_single_code_answers() -> None:
    distances, rows = Index(CODES[:1]).nearest(CODES[0])
    np.testing.assert_array_equal(rows, [0])
    np.testing.assert_allclose(distances, [0], atol=1e-6)


def test_cosine_is_the_default_and_does_not_see_lengths() -> None:
    lengths = RNG.uniform(0.1, 10, (len(CODES), 1)).astype(np.float32)
    plain, scaled = Index(CODES), Index(CODES * lengths)
    assert plain.metric == "cosine"
    np.testing.assert_array_equal(plain.nearest(QUERIES, 10)[1], scaled.nearest(QUERIES, 10)[1])


@pytest.mark.parametrize("metric", METRICS)
def test_equal_distances_come_in_the_order_of_their_rows(metric: str) -> None:
    kinds = RNG.integers(0, 3, 200)
    _, rows = Index(np.eye(3)[kinds], metric).nearest(np.array([1.0, 0.5, 0.25]), 200)
    np.testing.assert_array_equal(rows, np.lexsort((np.arange(200), kinds)))


def test_cosine_distance_runs_from_zero_to_two() -> None:
    distances, rows = Index(np.array([[-1.0, 0], [0, 1], [1, 0], [0, 0]])).nearest(np.array([2.0, 0]), 4)
    np.testing.assert_array_equal(rows, [2, 1, 3, 0])
    np.testing.assert_allclose(distances, [0, 1, 1, 2], atol=1e-12)


def test_an_unknown_metric_is_refused_with_the_choices() -> None:
    with pytest.raises(ValueError, match=r"'manhattan'; choose one of cosine, euclidean"):
        Index(CODES, "manhattan")


def test_an_empty_index_is_refused() -> None:
    with pytest.raises(ValueError, match="no codes to search in"):
        Index(np.empty((0, 7)))


@pytest.mark.parametrize(
    ("code", "k"), [(QUERIES[0], 0), (QUERIES[0], -1), (QUERIES[0, :5], 1), (np.full(7, np.nan), 1)]
)
def test_a_senseless_question_is_refused(code: np.ndarray, k: int) -> None:
    with pytest.raises(ValueError, match=r"n_neighbors|features|NaN"):
        Index(CODES).nearest(code, k)


def test_an_index_says_what_it_holds() -> None:
    assert repr(Index(CODES)) == "<Index of 400 codes by cosine distance>"


def test_the_nearest_images_are_those_of_a_full_sort_of_raw_pixels() -> None:
    images = RNG.integers(0, 256, (5000, 1, 6, 5), np.uint8)
    distances, rows = nearest_images(images, images[123], k=7)
    full = cdist(images[123].reshape(1, -1) / 255, images.reshape(5000, -1) / 255, "cosine")[0]
    assert rows[0] == 123
    np.testing.assert_array_equal(rows, full.argsort(kind="stable")[:7])
    np.testing.assert_allclose(distances, np.sort(full)[:7], atol=1e-5)


def test_black_images_have_neighbors_too() -> None:
    distances, rows = nearest_images(np.zeros((3, 1, 8, 8), np.uint8), np.zeros((1, 8, 8), np.uint8), k=2)
    np.testing.assert_array_equal(rows, [0, 1])
    np.testing.assert_array_equal(distances, [1, 1])
