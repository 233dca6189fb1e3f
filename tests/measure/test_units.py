"""What the units of a code mean, against plain loops, and where there is nothing to say of them."""

import numpy as np
import pytest

from aecore.measure import units
from aecore.measure.units import EXAMPLES, PURE, active, described, histogram


@pytest.fixture
def codes() -> np.ndarray:
    """300 codes of 70 units, more than one block: signed, sparse with many ties, constant, and nothing but zeros."""
    rng = np.random.default_rng(0)
    found = rng.normal(size=(300, 70)).astype(np.float32)
    found[:, 10:20] = np.maximum(found[:, 10:20] - 1.5, 0)
    found[:, 66] = 2.5
    found[:, 67] = 0
    found[:, 68] = np.round(found[:, 68])
    return found


LENGTHS = np.linspace(0.5, 2, 70).astype(np.float32)


def test_units_are_what_plain_loops_say(codes: np.ndarray) -> None:
    labels = np.random.default_rng(1).integers(0, 5, len(codes))
    found = described(codes, LENGTHS, labels)
    limit = 0.01 * np.sqrt(
        np.mean([(float(v) * float(w)) ** 2 for row in codes for v, w in zip(row, LENGTHS, strict=True)])
    )
    for unit in range(70):
        values = codes[:, unit].astype(float)
        on = [abs(value) * LENGTHS[unit] > limit for value in values]
        assert found.share[unit] == pytest.approx(sum(on) / 300)
        assert found.share[unit] == pytest.approx(np.mean(np.abs(values) > found.edge[unit]))
        assert found.variance[unit] == pytest.approx(np.var(values), abs=1e-9)
        rows = sorted(range(300), key=lambda row: (-values[row], row))
        assert found.most[unit].tolist() == rows[:EXAMPLES]
        assert found.least[unit].tolist() == sorted(range(300), key=lambda row: (values[row], row))[:EXAMPLES]
        assert found.high[unit] == pytest.approx(values[rows[:EXAMPLES]].mean())
        assert found.dead[unit] == (unit in (66, 67))
        exciting = [labels[row] for row in rows[:PURE] if on[row]]
        if found.dead[unit]:
            assert np.isnan(found.purity[unit])
            assert found.kind[unit] == -1
        else:
            most = max(exciting.count(kind) for kind in range(5))
            assert found.purity[unit] == pytest.approx(most / len(exciting))
            assert exciting.count(found.kind[unit]) == most


def test_an_order_has_every_unit_once_and_the_dead_last(codes: np.ndarray) -> None:
    found = described(codes, LENGTHS, np.arange(300) % 3)
    for by, figure in (("activity", found.share), ("variance", found.variance), ("purity", found.purity)):
        order = found.order(by)
        assert sorted(order) == list(range(70))
        assert set(order[-2:]) == {66, 67}
        assert (np.diff(figure[order[:-2]]) <= 0).all()
    assert found.order("number").tolist() == list(range(70))
    with pytest.raises(ValueError, match="by is 'size'; choose one of activity, variance, number, purity"):
        found.order("size")


def test_a_unit_goes_from_low_to_high_and_the_others_stay_at_their_mean(codes: np.ndarray) -> None:
    found, chosen = described(codes, LENGTHS), np.array([15, 0, 69])
    for unit, line in zip(chosen, found.between(chosen, 3), strict=True):
        others = np.arange(70) != unit
        assert np.array_equal(line[:, others], np.tile(found.mean[others], (3, 1)))
        assert line[:, unit] == pytest.approx([found.low[unit], (found.low + found.high)[unit] / 2, found.high[unit]])
        assert found.low[unit] < found.high[unit]


def test_a_class_that_a_unit_answers_to_is_its_kind() -> None:
    labels = np.arange(400) % 4
    codes = np.random.default_rng(0).uniform(size=(400, 3)).astype(np.float32)
    codes[:, 1] = np.where(labels == 2, 3 + codes[:, 1], 0)
    found = described(codes, np.ones(3, np.float32), labels)
    assert (found.purity[1], found.kind[1], found.share[1]) == (1, 2, 0.25)
    assert found.purity[0] < 0.6
    assert found.order("purity")[0] == 1


@pytest.mark.parametrize("codes", [np.zeros((50, 4)), np.full((50, 4), 3.0), np.ones((1, 4)), np.zeros((1, 1))])
@pytest.mark.parametrize("labelled", [True, False])
def test_units_that_say_nothing_are_dead_and_nothing_breaks(codes: np.ndarray, labelled: bool) -> None:
    codes = codes.astype(np.float32)
    found = described(codes, np.ones(codes.shape[1]), np.zeros(len(codes), int) if labelled else None)
    assert found.dead.all()
    assert np.isnan(found.purity).all()
    assert found.most.shape == (codes.shape[1], min(EXAMPLES, len(codes)))
    assert np.isfinite(found.between(np.arange(codes.shape[1]), 2)).all()
    for by in ("activity", "variance", "purity"):
        assert found.order(by).tolist() == list(range(codes.shape[1]))
    kinds, counts, edges = histogram(codes[:, 0], np.zeros(len(codes), int))
    assert kinds == [0]
    assert counts.sum() == len(codes)
    assert (np.diff(edges) > 0).all()


def test_a_histogram_counts_every_image_in_its_class(codes: np.ndarray) -> None:
    labels = np.repeat([0, 2, 3, 4], [100, 150, 20, 30])
    kinds, counts, edges = histogram(codes[:, 0], labels, bins=10)
    assert kinds == [0, 2, 3, 4]
    assert counts.sum(axis=1).tolist() == [100, 150, 20, 30]
    assert counts[1, 5] == sum(edges[5] <= value < edges[6] for value in codes[labels == 2, 0])
    kinds, few, _ = histogram(codes[:, 0], labels, bins=10, most=3)
    assert kinds == [0, 2, -1]
    assert np.array_equal(few, [counts[0], counts[1], counts[2] + counts[3]])


def test_active_is_by_what_a_unit_adds_in_the_decoder() -> None:
    codes = np.array([[1.0, 0.005], [1.0, 0.005]], np.float32)
    assert active(codes, np.array([1.0, 1.0])).tolist() == [[True, False]] * 2
    assert active(codes, np.array([1.0, 100.0])).tolist() == [[True, True]] * 2
    assert units.threshold(codes, np.array([2.0, 2.0])) == pytest.approx(2 * units.threshold(codes, np.ones(2)))
