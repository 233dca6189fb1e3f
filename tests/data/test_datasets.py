"""Image sets: what every one of them promises."""

import numpy as np
import pytest

from aecore.data import DATASETS, Dataset, Split, distinct, fetch, is_here, load_dataset

SMALL = {"blocks": {"count": 500}, **{f"shapes_{number}": {"count": 800} for number in range(1, 7)}}


def _if_here(name: str) -> object:
    reason = f"the files of {name} are not here"
    return pytest.param(name, marks=pytest.mark.skipif(not is_here(name), reason=reason))


@pytest.fixture(scope="module", params=[_if_here(name) for name in DATASETS])
def pair(request: pytest.FixtureRequest) -> tuple[Dataset, Dataset]:
    """The same dataset, loaded twice."""
    options = SMALL.get(request.param, {})
    return load_dataset(request.param, **options), load_dataset(request.param, **options)


def test_images_are_uint8_with_four_axes(pair: tuple[Dataset, Dataset]) -> None:
    for split in (pair[0].train, pair[0].test):
        assert split.images.dtype == np.uint8
        assert split.images.shape == (len(split), *pair[0].shape)
        assert len(split) > 0
        assert pair[0].shape[0] in (1, 3)
        assert split.images.min() == 0
        assert split.images.max() > 250


def test_arrays_are_read_only_and_ids_unique(pair: tuple[Dataset, Dataset]) -> None:
    for split in (pair[0].train, pair[0].test):
        assert split.ids.dtype.kind == "U"
        assert len(np.unique(split.ids)) == len(split)
        for array in (split.images, split.ids, *split.factors.values()):
            with pytest.raises(ValueError, match="read-only"):
                array[0] = array[1]


def test_labels_lie_within_the_classes(pair: tuple[Dataset, Dataset]) -> None:
    for split in (pair[0].train, pair[0].test):
        assert (split.labels is None) == (pair[0].classes is None)
        if split.labels is not None:
            assert split.labels.dtype == np.int64
            assert set(np.unique(split.labels)) == set(range(len(pair[0].classes)))


def test_loading_twice_gives_the_same_images_in_the_same_order(pair: tuple[Dataset, Dataset]) -> None:
    for one, other in ((pair[0].train, pair[1].train), (pair[0].test, pair[1].test)):
        np.testing.assert_array_equal(one.images, other.images)
        np.testing.assert_array_equal(one.ids, other.ids)
        np.testing.assert_array_equal(one.labels, other.labels)


def test_a_dataset_says_its_name_its_source_and_its_size(pair: tuple[Dataset, Dataset]) -> None:
    assert DATASETS[pair[0].name].load.__doc__
    assert pair[0].title
    assert pair[0].source
    assert f"{len(pair[0].train):,} training" in repr(pair[0])


def test_blocks_has_80000_training_images_unless_told_otherwise() -> None:
    blocks = load_dataset("blocks")
    assert blocks.train.images.shape == (80_000, 1, 28, 28)
    assert len(np.unique(blocks.train.images.reshape(80_000, -1).sum(axis=1))) > 100
    assert len(load_dataset("blocks", count=7).train) == 7


def test_block_factors_are_what_the_pixels_show() -> None:
    blocks = load_dataset("blocks", count=2000)
    for split in (blocks.train, blocks.test):
        white = split.images[:, 0] == 255
        assert ((split.images == 0) | (split.images == 255)).all()
        np.testing.assert_array_equal(white.any(axis=2).sum(axis=1), split.factors["height"])
        np.testing.assert_array_equal(white.any(axis=1).sum(axis=1), split.factors["width"])
        np.testing.assert_array_equal(white.sum(axis=(1, 2)), split.factors["height"] * split.factors["width"])
        for lines in (white.any(axis=2), white.any(axis=1)):  # centered: the margins differ by a pixel at most
            assert (abs(lines.argmax(axis=1) - lines[:, ::-1].argmax(axis=1)) <= 1).all()
            assert (lines[:, 13] | lines[:, 14]).all()


def test_held_out_blocks_are_never_trained_on() -> None:
    blocks = load_dataset("blocks")
    train, test = (set(zip(s.factors["height"], s.factors["width"], strict=True)) for s in (blocks.train, blocks.test))
    assert not train & test
    assert len(test) == len(blocks.test) == 98
    assert len(train | test) == 28 * 28


def test_another_seed_draws_other_blocks() -> None:
    first, second = load_dataset("blocks", count=200), load_dataset("blocks", count=200, seed=1)
    assert (first.train.images != second.train.images).any()
    assert set(first.test.ids) != set(second.test.ids)


def test_an_unknown_dataset_is_refused_with_the_choices() -> None:
    for use in (load_dataset, fetch):
        with pytest.raises(ValueError, match=rf"'mnist'.*{', '.join(DATASETS)}"):
            use("mnist")
    assert not is_here("mnist")


@pytest.mark.parametrize(
    ("images", "ids"),
    [(np.zeros((2, 1, 8, 8)), None), (np.zeros((2, 8, 8), np.uint8), None), (np.zeros((2, 1, 8, 8), np.uint8), ["a"])],
)
def test_a_split_refuses_what_is_not_images_with_one_id_each(images: np.ndarray, ids: list[str] | None) -> None:
    with pytest.raises(ValueError, match="images"):
        Split(images, ids=None if ids is None else np.array(ids))


def test_a_split_is_had_by_its_name() -> None:
    digits = load_dataset("digits")
    assert (digits.split("train"), digits.split("test")) == (digits.train, digits.test)


@pytest.mark.parametrize("name", ["validation", "name", "shape", "", "Train"])
def test_a_split_that_no_dataset_has_is_refused_with_the_choices(name: str) -> None:
    with pytest.raises(ValueError, match=rf"^split is '{name}'; choose one of train, test$"):
        load_dataset("digits").split(name)


def test_equal_images_have_one_number() -> None:
    images = np.random.default_rng(0).integers(0, 256, (4, 1, 3, 3), np.uint8)[[2, 0, 2, 3, 0, 0]]
    first, every = distinct(images)
    assert first.tolist() == [0, 1, 3]
    assert every.tolist() == [0, 1, 0, 2, 1, 1]
    np.testing.assert_array_equal(images[first][every], images)
