"""The autoencoder as a citizen of scikit-learn."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

import aecore
from aecore import AutoencoderTransformer

SMALL = AutoencoderTransformer(latent=4, epochs=2, network="shallow")


REASONS = {
    "check_methods_sample_order_invariance": "codes are computed in float32: another order rounds the last bit anew",
    "check_methods_subset_invariance": "codes are computed in float32: another batch size rounds the last bit anew",
}


@parametrize_with_checks([SMALL], expected_failed_checks=lambda estimator: REASONS)
def test_scikit_learns_own_checks(estimator: AutoencoderTransformer, check: object) -> None:
    check(estimator)


@pytest.mark.parametrize("flavor", aecore.FLAVORS)
def test_codes_and_rows_go_both_ways(flavor: str) -> None:
    images = aecore.load_dataset("digits").train.images[:200]
    rows = images.reshape(200, -1) / 16.0
    transformer = AutoencoderTransformer(flavor, latent=6, epochs=2).fit(rows)
    codes = transformer.transform(rows)
    assert codes.shape == (200, 6)
    assert list(transformer.get_feature_names_out()) == [f"autoencodertransformer{unit}" for unit in range(6)]
    rebuilt = transformer.inverse_transform(codes)
    assert rebuilt.shape == rows.shape
    assert 0 <= rebuilt.min() <= rebuilt.max() <= rows.max()
    assert np.allclose(codes, transformer.checkpoint_.encode(images), atol=1e-5)


def test_works_in_a_pipeline_a_search_and_a_clone() -> None:
    digits = aecore.load_dataset("digits").train
    rows, labels = digits.images[:300].reshape(300, -1) / 255, digits.labels[:300]
    pipeline = make_pipeline(AutoencoderTransformer(epochs=2), LogisticRegression(max_iter=500))
    search = GridSearchCV(clone(pipeline), {"autoencodertransformer__latent": [1, 16]}, cv=2).fit(rows, labels)
    assert search.best_params_ == {"autoencodertransformer__latent": 16}
    assert search.best_score_ > 0.3


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"flavor": "crispy"}, "choose one of vanilla"),
        ({"shape": (1, 9, 9)}, "81 numbers; the rows have 64"),
        ({"latent": 0}, "choose a number from 1"),
        ({"network": "wide"}, "choose one of dense"),
    ],
)
def test_refuses_with_a_sentence(settings: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        AutoencoderTransformer(**settings).fit(np.zeros((3, 64)))
