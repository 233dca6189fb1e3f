"""What a few labels are worth: logistic regression on frozen features."""

import warnings
from collections.abc import Sequence

import numpy as np
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from aecore.pixels import to_floats

AMOUNTS = (1, 5, 10, 50, 100, 1000)
SEEDS = 5
BLOCK = 1024
"""Rows that are scaled at a time: of raw pixels, 10,000 in double precision would be 63 MB, several times over."""


def accuracies(
    train: np.ndarray,
    test: np.ndarray,
    train_labels: np.ndarray,
    test_labels: np.ndarray,
    amounts: Sequence[int | None],
    seeds: int = SEEDS,
) -> dict[str, dict[str, float]]:
    """Accuracy by labels per class ("all" for None): {"mean", "deviation", "ridge"}; features (n, d) and (m, d).

    Features are scaled by all training images, which takes no label; the ridge is chosen by cross-validation on the
    labeled images alone, and fixed where a class has too few to split.
    """
    scale = Scale(train)
    train, test = scale(train), scale(test)
    rows = {}
    for amount in amounts:
        scores = []
        for seed in range(seeds if amount else 1):
            chosen = _labeled(train_labels, amount, seed)
            model = classifier(train[chosen], train_labels[chosen])
            scores.append(float(model.score(test, test_labels)))
        name = str(amount) if amount else "all"
        rows[name] = {"mean": float(np.mean(scores)), "deviation": float(np.std(scores)), "ridge": 1 / model.C}
    return rows


class Scale:
    """Centers features (n, d) and divides them by one number: the training features then have mean squared length 1.

    One number for all, since components that vary much tell more than those that vary little. With each divided by its
    own deviation, 512 principal components classify .40 instead of .70 of held-out training images of clothes from ten
    labels per class; for raw pixels, HOG and edges it makes a difference of .002 at most.

    uint8 features count from 0 to 1. Works in blocks, since floats of all raw pixels would cost four times the memory.
    """

    def __init__(self, train: np.ndarray) -> None:
        blocks = [train[start : start + BLOCK] for start in range(0, len(train), BLOCK)]
        self.mean = sum(to_floats(block).sum(axis=0, dtype=np.float64) for block in blocks) / len(train)
        squares = sum(float(np.square(to_floats(block) - self.mean).sum()) for block in blocks)
        self.length = max(float(np.sqrt(squares / len(train))), 1e-6)

    def __call__(self, features: np.ndarray) -> np.ndarray:
        scaled = np.empty(features.shape, np.float32)
        for start in range(0, len(features), BLOCK):
            block = features[start : start + BLOCK]
            scaled[start : start + BLOCK] = (to_floats(block) - self.mean) / self.length
        return scaled


def learn(
    train: np.ndarray, test: np.ndarray, labels: np.ndarray, amount: int, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """From `amount` labels per class: (class said of each test row (m,), confidence (m,) from 0 to 1).

    Features (n, d) and (m, d), labels (n,), of which only the drawn ones are looked at.
    """
    scale, chosen = Scale(train), _labeled(labels, amount, seed)
    model = classifier(scale(train[chosen]), labels[chosen])
    shares = model.predict_proba(scale(test))
    return model.classes_[shares.argmax(axis=1)], shares.max(axis=1)


def classifier(features: np.ndarray, labels: np.ndarray) -> LogisticRegression:
    """A fitted logistic regression on scaled features (n, d), its ridge chosen on these images alone.

    By the log loss in cross-validation: of a hundred labels, accuracy moves in steps, and ties let chance choose.
    """
    from sklearn.model_selection import StratifiedKFold, StratifiedShuffleSplit, cross_val_score

    smallest = int(np.bincount(labels)[np.unique(labels)].min())
    best = 10.0
    threads = 1 if len(labels) <= 10_000 else None  # on two, many small products take 10 to 30 times as long
    with threadpool_limits(threads, user_api="blas"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The number of unique classes is greater than 50%")  # one label per class
        if smallest >= 5:
            few = len(labels) <= 1000
            split = StratifiedKFold(5) if few else StratifiedShuffleSplit(1, test_size=0.2, random_state=0)
            best = max(
                (1.0, 10.0, 100.0),
                key=lambda c: cross_val_score(_logistic(c), features, labels, cv=split, scoring="neg_log_loss").mean(),
            )
        return _logistic(best).fit(features, labels)


def _logistic(c: float) -> LogisticRegression:
    return LogisticRegression(C=c, max_iter=1000, tol=3e-4)


def _labeled(labels: np.ndarray, amount: int | None, seed: int) -> np.ndarray:
    """Rows of `amount` images of every class, drawn by seed; all rows for None."""
    if amount is None:
        return np.arange(len(labels))
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.choice(np.flatnonzero(labels == c), amount, replace=False) for c in np.unique(labels)])
