"""A classifier of cells on embedding and morphology, with scikit-learn's interface."""

# scikit-learn and pandas have no types of their own; signatures here are checked all the same.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from buffycoat.api.features import CellFeatures, Images, listed
from buffycoat.errors import ConfigError, ManifestError, ShapeError
from buffycoat.fuse.prior import apply_prior, uniform
from buffycoat.plurals import counted, some_of

if TYPE_CHECKING:
    import numpy.typing as npt
    from sklearn.utils import Tags

    Labels = npt.NDArray[np.generic]

PASSTHROUGH = "passthrough"
MAX_ROWS_SHOWN = 10
NO_LABEL = ("", "nan", "None", "<NA>")
"""What numpy makes of a missing label in an array of texts."""


class CellClassifier(ClassifierMixin, BaseEstimator):
    """Learn classes from a few hundred labelled cells in seconds, without a GPU.

    Logistic regression on the columns of `CellFeatures`, standardised. Probabilities can assume
    another class mix than the training cells have: a rare class of the training set is then no
    longer held to be rare. It is a strong baseline and quick to try; for the full pipeline with
    calibration, prediction sets and doubt, use `buffycoat train`.

    Args:
        features: How cells become numbers: a `CellFeatures`; None for `CellFeatures()`; or
            "passthrough" if X holds the numbers already, shape (n, d), NaN allowed.
        C: Inverse strength of the penalty.
        prior: Class frequencies to assume: "uniform", "train", or class -> share.
        max_iter: Steps of the solver at most.

    Attributes:
        classes_: Labels, sorted, shape (k,).
        class_prior_: Their shares of the training cells, shape (k,).
        features_: The fitted `CellFeatures`, or None for "passthrough".
        model_: The fitted imputer, scaler and regression.
        n_iter_: Steps that the solver took.

    Example:
        >>> import numpy as np
        >>> from buffycoat.simulate.render import render_cell
        >>> rng = np.random.default_rng(0)
        >>> y = ["LY", "EO"] * 6
        >>> X = [render_cell(code, rng, size_px=96).image for code in y]
        >>> model = CellClassifier(CellFeatures(embedding=False)).fit(X[:8], y[:8])
        >>> model.predict(X[8:]).tolist()
        ['LY', 'EO', 'LY', 'EO']
        >>> model.predict_proba(X[8:]).shape
        (4, 2)
    """

    def __init__(
        self,
        features: CellFeatures | Literal["passthrough"] | None = None,
        *,
        C: float = 1.0,  # noqa: N803
        prior: str | Mapping[object, float] = "uniform",
        max_iter: int = 2000,
    ) -> None:
        self.features = features
        self.C = C
        self.prior = prior
        self.max_iter = max_iter

    def fit(self, X: Images, y: Labels) -> CellClassifier:  # noqa: N803
        """Learn from labelled cells.

        Args:
            X: n cells, as `CellFeatures` takes them; numbers (n, d) for "passthrough".
            y: Their classes, shape (n,).

        Returns:
            Itself.

        Raises:
            BadCellsError: Images that cannot be read; all are listed.
            ConfigError: A prior that is none.
            ManifestError: Cells without a label; their rows are named.
            ShapeError: Cells and labels do not fit each other.
            ValueError: Fewer than two classes.
        """
        _check_labels(y)
        rows = self._fit_rows(X, y)
        labels = np.asarray(y)
        check_classification_targets(labels)
        if labels.ndim == 2 and labels.shape[1] == 1:
            labels = labels[:, 0]
        if labels.shape != (len(rows),):
            raise ShapeError(
                f"y: expected a label for each of {counted(len(rows), 'cell')}, got {labels.shape}"
            )
        self.classes_, counts = np.unique(labels, return_counts=True)
        if len(self.classes_) < 2:
            raise ValueError(f"y: expected at least 2 classes, got one class: {self.classes_[0]!r}")
        self.class_prior_ = counts / counts.sum()
        self._wanted_prior()
        self.model_: Pipeline = make_pipeline(
            SimpleImputer(strategy="median", keep_empty_features=True),
            StandardScaler(),
            LogisticRegression(C=self.C, max_iter=self.max_iter),
        )
        self.model_.fit(rows, labels)
        self.n_iter_ = int(cast(Any, self.model_[-1]).n_iter_.max())
        return self

    def predict_proba(self, X: Images) -> npt.NDArray[np.float64]:  # noqa: N803
        """Probability of each class, under the class frequencies of `prior`.

        Args:
            X: n cells, as in `fit`.

        Returns:
            Shape (n, k), columns as in `classes_`, rows sum to 1.
        """
        check_is_fitted(self)
        if self.features_ is None:
            rows = self._numbers(X, reset=False)
        else:
            rows = self.features_.transform(X)
        probs: npt.NDArray[np.float64] = self.model_.predict_proba(rows)
        return apply_prior(probs, self.class_prior_, self._wanted_prior())

    def predict(self, X: Images) -> Labels:  # noqa: N803
        """The most probable class of each cell, under the class frequencies of `prior`.

        Args:
            X: n cells, as in `fit`.

        Returns:
            Shape (n,), labels of `classes_`.
        """
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]

    def _fit_rows(self, cells: Images, labels: Labels) -> npt.NDArray[np.float64]:
        if isinstance(self.features, str):
            if self.features != PASSTHROUGH:
                raise ConfigError(
                    f"features {self.features!r}: expected a CellFeatures, None or {PASSTHROUGH!r}"
                )
            self.features_: CellFeatures | None = None
            return self._numbers(cells, labels)[0]
        if len(listed(cells)) != len(labels):
            raise ShapeError(
                f"y: {counted(len(labels), 'label')} for {counted(len(listed(cells)), 'cell')}"
            )
        made = CellFeatures() if self.features is None else cast(CellFeatures, clone(self.features))
        self.features_ = made.fit(cells)
        return self.features_.transform(cells)

    def _numbers(self, *given: object, reset: bool = True) -> Any:
        """X, or X and y, as scikit-learn checks them."""
        options = {"dtype": "numeric", "ensure_all_finite": "allow-nan"}
        return cast(Any, validate_data)(self, *given, reset=reset, **options)

    def _wanted_prior(self) -> npt.NDArray[np.float64]:
        """Class frequencies to assume, shape (k,), sum 1."""
        if isinstance(self.prior, Mapping):
            stated = {str(code): share for code, share in self.prior.items()}
            known = [str(code) for code in self.classes_]
            if {*stated} != {*known}:
                raise ConfigError(
                    f"prior: expected a share of each of {', '.join(known)}; got "
                    f"{', '.join(stated)}"
                )
            shares = np.array([stated[code] for code in known], dtype=np.float64)
            if not np.isfinite(shares).all() or (shares < 0).any() or not shares.any():
                raise ConfigError(f"prior: expected shares >= 0, not all 0; got {stated}")
            return shares / shares.sum()
        if self.prior == "uniform":
            return uniform(len(self.classes_))
        if self.prior == "train":
            return self.class_prior_
        raise ConfigError(
            f"prior {self.prior!r}: expected 'uniform', 'train' or a mapping of class to share"
        )

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        if not isinstance(self.features, str):
            tags.input_tags.two_d_array = False
            tags.input_tags.one_d_array = True
            tags.input_tags.string = True
        return tags


def _check_labels(labels: Labels | None) -> None:
    """Refuse cells without a label: NA, None, NaN, blank text, or one of these made a text."""
    if labels is None:  # scikit-learn asks for these words
        raise ShapeError(
            "CellClassifier requires y to be passed, but the target y is None. Give the class of "
            "each cell"
        )
    values = np.asarray(labels, dtype=object).ravel()
    missing = [
        row
        for row, value in enumerate(values)
        if pd.isna(value) is True or (isinstance(value, str) and value.strip() in NO_LABEL)
    ]
    if not missing:
        return
    shown = ", ".join(map(str, missing[:MAX_ROWS_SHOWN]))
    more = len(missing) - MAX_ROWS_SHOWN
    raise ManifestError(
        f"y: no label for {some_of(len(missing), len(values), 'cell')}, rows from 0: {shown}"
        f"{f' and {more} more' if more > 0 else ''}. Leave these cells out of X and y"
    )
