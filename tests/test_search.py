"""The index against a full sort."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from aecore.search import AWAY, METRICS, Index, all_nearest, combined, groups, nearest_images, usual_distances

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


@pytest.mark.parametrize("size", [1, 150, 399])
@pytest.mark.parametrize("metric", METRICS)
def test_search_in_blocks_finds_what_search_in_one_finds(
    metric: str, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = np.concatenate([CODES, CODES[:50]])  # copies, in other blocks
    whole = Index(codes, metric).nearest(QUERIES, 9)
    monkeypatch.setattr("aecore.search._Blocks.SIZE", size)
    blocks = Index(codes, metric).nearest(QUERIES, 9)
    np.testing.assert_allclose(blocks[0], whole[0], atol=1e-6)
    np.testing.assert_array_equal(blocks[1] % 400, whole[1] % 400)


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
    with pytest.raises(ValueError, match=r"at least one neighbor|features|NaN"):
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


@pytest.mark.parametrize("k", [1, 4, 50, 199])
@pytest.mark.parametrize("metric", METRICS)
def test_of_equally_near_ones_around_the_last_place_the_first_rows_are_taken(metric: str, k: int) -> None:
    codes = CODES[RNG.integers(0, 5, 200)]
    full = cdist(QUERIES.astype(float), codes.astype(float), metric)
    expected = np.stack([np.lexsort((np.arange(200), row.round(9)))[:k] for row in full])
    np.testing.assert_array_equal(Index(codes, metric).nearest(QUERIES, k)[1], expected)


@pytest.mark.parametrize("metric", METRICS)
def test_the_nearest_raw_images_by_either_metric_from_bytes_or_floats(metric: str) -> None:
    images = RNG.integers(0, 256, (5000, 1, 6, 5), np.uint8)
    full = cdist(images[9].reshape(1, -1) / 255, images.reshape(5000, -1) / 255, metric)[0]
    for image in (images[9], images[9] / np.float32(255)):
        distances, rows = nearest_images(images, image, 8, metric)
        np.testing.assert_array_equal(rows, full.argsort(kind="stable")[:8])
        np.testing.assert_allclose(distances, np.sort(full)[:8], atol=1e-5)


@pytest.mark.parametrize("metric", METRICS)
def test_one_example_is_the_query_itself(metric: str) -> None:
    query = combined(CODES[:1], CODES[:0], metric)
    np.testing.assert_array_equal(
        Index(CODES, metric).nearest(query, 9)[1], Index(CODES, metric).nearest(CODES[0], 9)[1]
    )


@pytest.mark.parametrize("metric", METRICS)
def test_examples_against_push_the_query_away(metric: str) -> None:
    wanted, unwanted = CODES[:3], CODES[3:5]
    query, plain = (combined(wanted, others, metric) for others in (unwanted, CODES[:0]))
    unit = (lambda x: x / np.linalg.norm(x, axis=1, keepdims=True)) if metric == "cosine" else (lambda x: x)
    to, of = unit(wanted).mean(axis=0), unit(unwanted).mean(axis=0)
    np.testing.assert_allclose(query, to + AWAY * (to - of), rtol=1e-5, atol=1e-6)
    assert (cdist(query[None], unwanted, metric) > cdist(plain[None], unwanted, metric)).all()


def test_examples_only_against_are_refused() -> None:
    with pytest.raises(ValueError, match="no example to look for"):
        combined(CODES[:0], CODES[:2])


@pytest.mark.parametrize("k", [1, 4, 40])
@pytest.mark.parametrize("metric", METRICS)
def test_the_nearest_others_of_all_are_those_of_a_full_sort(metric: str, k: int) -> None:
    told = []
    distances, rows = all_nearest(CODES, k, metric, lambda done, total: told.append((done, total)))
    full = cdist(CODES.astype(float), CODES.astype(float), metric)
    np.fill_diagonal(full, np.inf)
    np.testing.assert_array_equal(rows, full.argsort(axis=1, kind="stable")[:, :k])
    np.testing.assert_allclose(distances, np.sort(full, axis=1)[:, :k], atol=1e-6)
    assert told == [(256, 400), (400, 400)]


def test_all_have_no_more_others_than_there_are() -> None:
    with pytest.raises(ValueError, match="from 1 to 2, less than the 3 codes"):
        all_nearest(CODES[:3], 3)


def test_near_ones_are_grouped_through_their_links() -> None:
    line = np.array([[0.0], [10], [0.1], [20], [0.2], [10.05], [30]], np.float32)
    found = groups(*all_nearest(line, 2, "euclidean"), threshold=0.12)
    assert [group.tolist() for group in found] == [[0, 2, 4], [1, 5]]
    assert groups(*all_nearest(line, 2, "euclidean"), threshold=0.01) == []


@pytest.mark.parametrize("metric", METRICS)
def test_many_copies_are_one_group(metric: str) -> None:
    kinds = RNG.integers(0, 6, 900)
    found = groups(*all_nearest(100 * CODES[kinds], 4, metric), threshold=1e-6)
    assert sorted(map(len, found)) == sorted(np.bincount(kinds))
    assert all(len(set(kinds[group])) == 1 for group in found)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_a_large_set_is_searched_nearly_exactly_and_says_how_nearly(
    metric: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("faiss")
    rng = np.random.default_rng(0)
    codes = (rng.normal(size=(40, 16)).repeat(75, axis=0) * 2 + rng.normal(size=(3000, 16))).astype(np.float32)
    exact = Index(codes, metric)
    assert (exact.exact, exact.recall) == (True, 1.0)
    monkeypatch.setattr("aecore.search.LARGE", 3000)
    index = Index(codes, metric)
    assert not index.exact
    assert 0.8 < index.recall <= 1
    assert f"recall {index.recall:.3f}" in repr(index)
    asked = rng.normal(size=(100, 16)).astype(np.float32)
    right, found = exact.nearest(asked, 10), index.nearest(asked, 10)
    shares = [np.isin(*rows).mean() for rows in zip(right[1], found[1], strict=True)]
    assert abs(np.mean(shares) - index.recall) < 0.2
    same = right[1][:, 0] == found[1][:, 0]
    assert np.allclose(right[0][same, 0], found[0][same, 0], atol=1e-4)
    assert (np.diff(found[0]) >= 0).all()
    assert np.array_equal(index.nearest(asked, 10)[1], Index(codes, metric).nearest(asked, 10)[1]), "the same each time"
    assert index.nearest(codes[7], 1)[1] == [7]
    assert sorted(index.nearest(asked[0], 3000)[1]) == list(range(3000)), "all of them, if asked for all"


def test_usual_distances_are_to_others_where_the_index_holds_what_is_asked() -> None:
    codes = np.arange(9.0)[:, None] ** 2
    index = Index(codes, "euclidean")
    assert usual_distances(index, codes).max() == 0
    assert usual_distances(index, codes, itself=True).tolist() == [1, 1, 3, 5, 7, 9, 11, 13, 15]
    assert len(usual_distances(index, codes, count=4)) == 4
