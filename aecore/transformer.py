"""An autoencoder as a scikit-learn transformer."""

import math
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from aecore.data import Dataset, Split
from aecore.models import FLAVORS
from aecore.pixels import to_bytes
from aecore.runs import Run
from aecore.training import train


class AutoencoderTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Encode rows of pixels with an autoencoder that is trained in `fit`; labels are never used.

    Rows (n, features) are flattened images of shape (channels, height, width). With shape None, a row is a square gray
    image if the number of features is a square and at least 64; otherwise, it is laid out as a strip eight pixels high.
    Values are mapped from the range seen in `fit` to [0, 1]; training uses 256 levels.

    flavor, latent, network, loss, epochs, batch_size and lr are those of `aecore.Run`; knobs holds the flavor's
    own settings. After `fit`, checkpoint_ is the trained `aecore.Checkpoint`.
    """

    def __init__(
        self,
        flavor: str = "vanilla",
        latent: int = 32,
        *,
        network: str = "dense",
        loss: str = "mse",
        epochs: int = 10,
        batch_size: int = 128,
        lr: float = 1e-3,
        knobs: dict[str, Any] | None = None,
        shape: tuple[int, int, int] | None = None,
        random_state: int | np.random.RandomState | None = 0,
    ) -> None:
        self.flavor = flavor
        self.latent = latent
        self.network = network
        self.loss = loss
        self.epochs = epochs
        self.batch_size = batch_size
        self.lr = lr
        self.knobs = knobs
        self.shape = shape
        self.random_state = random_state

    def fit(self, X: np.ndarray, y: object = None) -> "AutoencoderTransformer":
        """Train on rows (n, features). Raises ValueError for impossible settings or shapes; y is ignored."""
        X = validate_data(self, X, dtype=[np.float64, np.float32], ensure_min_samples=2)
        if self.flavor not in FLAVORS:
            raise ValueError(f"flavor is {self.flavor!r}; choose one of {', '.join(FLAVORS)}")
        self._layout = self._laid_out(X.shape[1])
        self.low_, self.high_ = float(X.min()), float(X.max())
        run = Run(
            "rows",
            FLAVORS[self.flavor](latent=self.latent, **(self.knobs or {})),
            network=self.network,
            loss=self.loss,
            epochs=self.epochs,
            batch_size=self.batch_size,
            lr=self.lr,
            seed=int(check_random_state(self.random_state).randint(2**31 - 1)),
        )
        images = to_bytes(self._images(X))
        *_, self.checkpoint_ = train(run, Dataset("rows", Split(images), Split(images[:1])))
        self._n_features_out = self.latent
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """rows (n, features) -> codes (n, latent), computed in float32, in the type of the rows."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        return self.checkpoint_.encode(self._images(X)).astype(X.dtype, copy=False)

    def inverse_transform(self, X: np.ndarray) -> np.ndarray:
        """codes (n, latent) -> rows (n, features), in the range seen in `fit`."""
        check_is_fitted(self)
        flat = self.checkpoint_.decode(np.asarray(X, np.float32)).reshape(len(X), -1)[:, : self.n_features_in_]
        return flat * (self.high_ - self.low_) + self.low_

    def _laid_out(self, features: int) -> tuple[int, int, int]:
        if self.shape is not None:
            if math.prod(self.shape) != features:
                raise ValueError(
                    f"shape {self.shape} has {math.prod(self.shape)} numbers; the rows have {features}: "
                    "give a shape that matches, or None"
                )
            return tuple(self.shape)
        side = math.isqrt(features)
        if side >= 8 and side * side == features:
            return (1, side, side)
        return (1, 8, max(8, math.ceil(features / 8)))

    def _images(self, X: np.ndarray) -> np.ndarray:
        spread = self.high_ - self.low_ or 1.0
        flat = np.zeros((len(X), math.prod(self._layout)), np.float32)
        flat[:, : X.shape[1]] = ((X - self.low_) / spread).clip(0, 1)
        return flat.reshape(len(X), *self._layout)
