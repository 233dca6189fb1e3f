"""What runs are called."""

from pathlib import Path

import aecore
from aecore import models
from aecore.recipes import RECIPES, titles


def test_a_run_is_called_by_its_recipe_else_by_its_settings_else_by_its_id(home: Path) -> None:
    store, own = aecore.Store(home / "runs"), aecore.Run("digits", models.Vanilla(latent=7))
    path = store.create(aecore.Run("digits", models.Vanilla(latent=8)))
    store.create(own)
    (path / "run.json").write_text("{}")
    recipe = RECIPES["blocks-map"]
    assert titles([path.name, own.id, recipe.run.id, "gone"]) == {
        path.name: path.name,
        own.id: own.title,
        recipe.run.id: recipe.title,
        "gone": "gone",
    }
