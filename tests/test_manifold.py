"""The plane of codes against references."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from aecore.manifold import bounds, centers, lattice, plane, tile

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
