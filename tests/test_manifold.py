"""The plane of codes against references."""

import itertools

import numpy as np
import pytest
from sklearn import manifold
from sklearn.decomposition import PCA

from aecore.manifold import (
    PRIOR_BOX,
    axes,
    bounds,
    centers,
    decoded_box,
    far,
    inside,
    lattice,
    middle_box,
    path,
    plane,
    project,
    steps,
    tile,
    traverse,
    trust,
    tsne,
)

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("latent", [3, 10, 128])
def test_the_plane_is_the_first_two_principal_components_up_to_sign(latent: int) -> None:
    codes = (RNG.normal(size=(500, latent)) * np.linspace(3, 0.5, latent) + 5).astype(np.float32)
    expected = PCA(2, svd_solver="full").fit_transform(codes.astype(float))
    points = plane(codes)
    assert points.shape == (500, 2)
    signs = np.sign((points * expected).sum(axis=0))
    np.testing.assert_allclose(points * signs, expected, atol=0.01)


def test_the_plane_does_not_flip_from_call_to_call() -> None:
    codes = RNG.normal(size=(300, 6)).astype(np.float32)
    shuffled = RNG.permutation(300)
    np.testing.assert_allclose(plane(codes)[shuffled], plane(codes[shuffled]), atol=1e-3)


def test_two_dimensional_codes_are_their_own_plane() -> None:
    codes = RNG.normal(size=(10, 2)).astype(np.float32)
    np.testing.assert_array_equal(plane(codes), codes)


def test_one_dimensional_codes_lie_on_a_line() -> None:
    codes = np.array([[1.0], [3.0], [8.0]])
    np.testing.assert_allclose(plane(codes), [[-3, 0], [-1, 0], [4, 0]])


def test_equal_codes_land_on_one_point() -> None:
    points = plane(np.full((5, 4), 2.5, np.float32))
    np.testing.assert_array_equal(points, np.zeros((5, 2)))


def test_bounds_leave_a_margin_on_every_side() -> None:
    box = bounds(np.array([[0.0, 10.0], [4.0, 11.0], [1.0, 10.5]]), margin=0.1)
    assert box == pytest.approx((-0.4, 4.4, 9.9, 11.1))


@pytest.mark.parametrize("count", [1, 2])
def test_bounds_have_a_size_even_around_one_point(count: int) -> None:
    left, right, bottom, top = bounds(np.full((count, 2), 3.0))
    assert left < 3 < right
    assert bottom < 3 < top


def _slow_tile(points: np.ndarray, cells: int) -> dict[tuple[int, int], set[int]]:
    """Cell -> the rows that are nearest its middle, one point at a time."""
    left, right, bottom, top = bounds(points)
    best: dict[tuple[int, int], tuple[float, set[int]]] = {}
    for row, (x, y) in enumerate(points):
        across, down = (x - left) / (right - left) * cells, (top - y) / (top - bottom) * cells
        cell = min(int(across), cells - 1), min(int(down), cells - 1)
        off = np.hypot(across - cell[0] - 0.5, down - cell[1] - 0.5)
        so_far = best.get(cell, (np.inf, set()))
        if off < so_far[0] - 1e-9:
            best[cell] = (off, {row})
        elif off < so_far[0] + 1e-9:
            so_far[1].add(row)
    return {cell: rows for cell, (_, rows) in best.items()}


@pytest.mark.parametrize("cells", [1, 3, 10, 40])
def test_each_cell_shows_the_one_image_nearest_its_middle(cells: int) -> None:
    points = RNG.normal(size=(600, 2)) * (3, 1)
    rows, places = tile(points, cells)
    drawn = {tuple(place): row for row, place in zip(rows.tolist(), places.tolist(), strict=True)}
    expected = _slow_tile(points, cells)
    assert len(drawn) == len(rows)
    assert drawn.keys() == expected.keys()
    assert all(row in expected[cell] for cell, row in drawn.items())


def test_line_zero_of_the_tiles_is_at_the_top() -> None:
    rows, places = tile(np.array([[0.0, 0.0], [1.0, 1.0]]), 2)
    assert {row: tuple(place) for row, place in zip(rows.tolist(), places.tolist(), strict=True)} == {
        0: (0, 1),
        1: (1, 0),
    }


@pytest.mark.parametrize("count", [1, 5])
def test_images_on_one_point_share_one_tile(count: int) -> None:
    rows, places = tile(np.full((count, 2), -2.0, np.float32), 9)
    assert rows.shape == (1,)
    np.testing.assert_array_equal(places, [[4, 4]])


@pytest.mark.parametrize("cells", [1, 4, 11])
def test_tiles_drawn_at_their_centers_lie_half_a_cell_from_their_points(cells: int) -> None:
    points = RNG.normal(size=(300, 2)) * (1, 3) + (5, -5)
    box = bounds(points)
    rows, places = tile(points, cells)
    off = np.abs(centers(places, cells, box) - points[rows])
    half = np.array([box[1] - box[0], box[3] - box[2]]) / cells / 2
    assert (off <= half + 1e-9).all()


def test_centers_count_lines_from_the_top_of_the_box() -> None:
    middles = centers(np.array([[0, 0], [1, 0], [3, 3]]), 4, (0.0, 8.0, 100.0, 120.0))
    np.testing.assert_allclose(middles, [[1, 117.5], [3, 117.5], [7, 102.5]])


def test_a_lattice_reads_like_a_page_from_the_top_left() -> None:
    codes = lattice((-1.0, 5.0, 10.0, 22.0), 6)
    assert codes.shape == (36, 2)
    assert codes.dtype == np.float32
    grid = codes.reshape(6, 6, 2)
    np.testing.assert_allclose(grid[..., 0], np.broadcast_to([-0.5, 0.5, 1.5, 2.5, 3.5, 4.5], (6, 6)), atol=1e-6)
    np.testing.assert_allclose(grid[..., 1], np.broadcast_to([[21], [19], [17], [15], [13], [11]], (6, 6)), atol=1e-6)


def test_the_principal_plane_of_other_codes_is_projected_to() -> None:
    fitted, codes = RNG.normal(size=(400, 5)) * (4, 3, 1, 1, 1), RNG.normal(size=(50, 5))
    reference = PCA(2, svd_solver="full").fit(fitted.astype(np.float32).astype(float))
    points = project(codes, *axes(fitted))
    expected = reference.transform(codes)
    np.testing.assert_allclose(points * np.sign((points * expected).sum(axis=0)), expected, atol=0.01)


def test_the_box_of_the_prior_lies_between_its_quantiles() -> None:
    from scipy.stats import norm

    assert pytest.approx(norm.ppf([0.001, 0.999, 0.001, 0.999]).tolist(), abs=1e-6) == PRIOR_BOX


def test_the_decoder_is_drawn_where_codes_are_and_where_the_prior_is() -> None:
    draw = np.random.default_rng(0).normal
    wide, narrow = (draw((5, 0), scale, size=(1000, 2)) for scale in (4.0, 0.1))
    assert decoded_box(wide, False) == middle_box(wide)
    assert decoded_box(narrow, False) == middle_box(narrow)
    for codes in (wide, narrow):
        for pick, found, codes_at, prior_at in zip(
            (min, max) * 2, decoded_box(codes, True), middle_box(codes), PRIOR_BOX, strict=True
        ):
            assert found == pick(codes_at, prior_at)


def test_the_middle_box_leaves_the_outermost_out_on_every_side() -> None:
    points = np.stack([np.arange(1001.0), np.arange(1001.0)[::-1] * 2], axis=1)
    assert middle_box(points, 0.01) == pytest.approx((10, 990, 20, 1980))
    left, right, bottom, top = middle_box(np.zeros((3, 2)))
    assert left < right
    assert bottom < top


@pytest.mark.parametrize("corners", [3, 5, 40])
def test_inside_agrees_with_another_library_point_by_point(corners: int) -> None:
    from skimage.measure import points_in_poly

    angle = np.sort(RNG.uniform(0, 2 * np.pi, corners))
    polygon = np.stack([np.cos(angle), np.sin(angle)], axis=1) * RNG.uniform(0.2, 2, (corners, 1))
    points = RNG.uniform(-2, 2, (3000, 2))
    np.testing.assert_array_equal(inside(points, polygon), points_in_poly(points, polygon))


def test_inside_a_bow_tie_its_two_wings_count_and_nothing_is_inside_a_line() -> None:
    bow = [(0, 0), (2, 2), (2, 0), (0, 2)]
    assert inside(np.array([[0.2, 1], [1.8, 1], [1, 1.6], [1, 0.4]]), bow).tolist() == [True, True, False, False]
    assert not inside(RNG.uniform(-1, 3, (500, 2)), [(0, 0), (2, 2)]).any()


def test_far_is_twice_the_distance_that_codes_keep_from_each_other() -> None:
    points = np.stack(np.meshgrid(np.arange(20.0), np.arange(20.0)), axis=-1).reshape(-1, 2)  # neighbors at 1
    places = np.array([[5.5, 5.5], [-1.9, 3], [-2.1, 3], [19, 21.5]])
    assert far(places, np.repeat(points, 3, axis=0)).tolist() == [False, False, True, True]
    assert far(places, np.zeros((7, 2))).all()


@pytest.mark.parametrize("k", [1, 5, 12])
def test_trust_with_all_as_anchors_is_trustworthiness(k: int) -> None:
    origin = RNG.normal(size=(700, 6))
    points = origin[:, :2] + RNG.normal(size=(700, 2)) * 0.3
    expected = manifold.trustworthiness(origin, points, n_neighbors=k)
    assert trust(origin, points, np.arange(700), k).mean() == pytest.approx(expected, abs=1e-6)
    in_floats = trust(origin.astype(np.float32), points.astype(np.float32), np.arange(700), k)
    assert in_floats.mean() == pytest.approx(expected, abs=1e-4)


def test_equal_distances_share_the_best_rank() -> None:
    """Of blocks, many are equally far from one; which of them comes first must not change the figure."""
    corners = np.array([[x, y] for x in range(6) for y in range(6)], float)
    order = RNG.permutation(len(corners))
    found, shuffled = trust(corners, corners, np.arange(36), 4), trust(corners[order], corners[order], np.arange(36), 4)
    assert (found == 1).all()
    np.testing.assert_array_equal(shuffled, found[order])


def test_trust_of_some_anchors_counts_ranks_among_them() -> None:
    origin, points, anchors, k = RNG.normal(size=(60, 3)), RNG.normal(size=(60, 2)), np.arange(0, 60, 3), 4
    expected = []
    for row in range(60):
        others = [int(anchor) for anchor in anchors if anchor != row]
        near = sorted(others, key=lambda j: np.square(points[j] - points[row]).sum())[:k]
        ranked = sorted(others, key=lambda j: np.square(origin[j] - origin[row]).sum())
        excess = sum(max(ranked.index(j) + 1 - k, 0) for j in near)
        expected.append(1 - 2 * excess / (k * (2 * len(anchors) - 3 * k - 1)))
    np.testing.assert_allclose(trust(origin, points, anchors, k), expected, atol=1e-6)
    with pytest.raises(ValueError, match="choose a number from 1 to 9"):
        trust(origin, points, anchors, 10)


def test_a_straight_path_keeps_its_pace_and_both_ends() -> None:
    start, end = RNG.normal(size=(2, 7))
    codes = path(start, end, 9)
    np.testing.assert_allclose(codes[[0, 4, 8]], [start, (start + end) / 2, end], atol=1e-6)
    paces = np.linalg.norm(np.diff(codes, axis=0), axis=1)
    np.testing.assert_allclose(paces, paces[0], rtol=1e-4)


def test_slerp_turns_evenly_while_its_length_changes_evenly() -> None:
    start, end = RNG.normal(size=(2, 16))
    codes = path(start, end, 11, "slerp").astype(float)
    np.testing.assert_allclose(codes[[0, -1]], [start, end], atol=1e-6)
    lengths = np.linalg.norm(codes, axis=1)
    np.testing.assert_allclose(lengths, np.linspace(lengths[0], lengths[-1], 11), rtol=1e-5)
    turns = np.arccos(((codes[1:] / lengths[1:, None]) * (codes[:-1] / lengths[:-1, None])).sum(axis=1))
    np.testing.assert_allclose(turns, turns[0], rtol=1e-3)


@pytest.mark.parametrize("end", [(2.0, 0.0), (-2.0, 0.0), (0.0, 0.0)])
def test_slerp_without_a_turn_of_its_own_is_straight(end: tuple[float, float]) -> None:
    start = np.array([1.0, 0.0])
    np.testing.assert_allclose(path(start, np.array(end), 5, "slerp"), path(start, np.array(end), 5))
    with pytest.raises(ValueError, match="choose one of straight, slerp"):
        path(start, start, 5, "round")


def test_steps_are_root_mean_squares() -> None:
    images = RNG.uniform(size=(4, 3, 5, 6))
    expected = [np.sqrt(np.mean((a - b) ** 2)) for a, b in itertools.pairwise(images)]
    np.testing.assert_allclose(steps(images), expected, rtol=1e-5)


def test_a_traversal_moves_one_number() -> None:
    code = RNG.normal(size=5).astype(np.float32)
    codes = traverse(code, 3, -2, 2, 5)
    np.testing.assert_allclose(codes[:, 3], [-2, -1, 0, 1, 2])
    np.testing.assert_array_equal(np.delete(codes, 3, axis=1), np.delete(np.tile(code, (5, 1)), 3, axis=1))


def test_tsne_keeps_three_clusters_apart_and_repeats_itself() -> None:
    centers_ = np.repeat(np.eye(3) * 20, 40, axis=0)
    codes = (centers_ + RNG.normal(size=(120, 3))).astype(np.float32)
    rounds = list(tsne(codes, perplexity=10, rounds=2))
    assert [done for done, _ in rounds] == [1, 2]
    places = rounds[-1][1]
    assert places.shape == (120, 2)
    groups = places.reshape(3, 40, 2)
    spread = max(np.linalg.norm(group - group.mean(axis=0), axis=1).max() for group in groups)
    apart = min(np.linalg.norm(a.mean(axis=0) - b.mean(axis=0)) for a, b in itertools.combinations(groups, 2))
    assert apart > 2 * spread
    np.testing.assert_array_equal(list(tsne(codes, perplexity=10, rounds=2))[-1][1], places)
    with pytest.raises(ValueError, match="less than a third of the 120 codes"):
        next(tsne(codes, perplexity=50))
