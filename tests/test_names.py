"""What runs are called: by their settings, or by a name that their owner gave."""

from pathlib import Path

import pytest

from aecore.folders import LONGEST_NAME, forget, name_of, rename
from aecore.models import VAE, Denoising, Sparse
from aecore.runs import Run, titles
from aecore.store import Store

RUN = Run("digits", VAE(latent=2), "shallow", epochs=2)


def test_titles_tell_runs_apart_by_the_settings_in_which_they_differ() -> None:
    plain, seeded, slow = Run("digits", VAE(latent=2)), Run("digits", VAE(latent=2), seed=3), Run("blocks", Sparse())
    wide, noisy = Run("digits", Denoising(latent=1), network="conv"), Run("digits", Denoising(latent=1, level=0.25))
    assert list(titles([plain, seeded, slow, wide, noisy]).values()) == [
        "Digits · variational · 2 units · seed 0",
        "Digits · variational · 2 units · seed 3",
        "Blocks · sparse · 32 units",
        "Digits · denoising · 1 unit · level 0.5 · conv network",
        "Digits · denoising · 1 unit · level 0.25 · dense network",
    ]
    assert titles([plain]) == {plain.id: "Digits · variational · 2 units"}


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("  My\tclothes\n", "My clothes"),
        ("a\u202eb\x00c", "a b c"),
        ("Bär 🐻", "Bär 🐻"),
        ("x" * LONGEST_NAME, "x" * LONGEST_NAME),
    ],
)
def test_a_name_is_one_line_that_lasts(given: str, kept: str, tmp_path: Path) -> None:
    folder = Store(tmp_path).create(RUN)
    rename(folder, given)
    forget(folder)
    assert name_of(folder) == kept
    with pytest.raises(ValueError, match="has 61 characters; use 60 or fewer"):
        rename(folder, "y" * 61)
    assert name_of(folder) == kept
    rename(folder, " \n")
    assert name_of(folder) == ""
    assert not (folder / "name").exists()


def test_a_name_that_is_no_text_is_no_name(tmp_path: Path) -> None:
    folder = Store(tmp_path).create(RUN)
    (folder / "name").write_bytes(b"\xff\xfe")
    assert name_of(folder) == ""
