"""Pairs of pictures that share landmarks, by visual words.

Each landmark is given the word that it is likest to, and pictures are compared as texts are: by the
words that they share, rare ones counting more (Sivic and Zisserman, ICCV 2003). That takes a turn,
a crop or a shift as it comes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from buffycoat.audit.landmarks import Landmarks, mirrored

N_WORDS = 4096
"""Words are landmarks of the data itself, drawn at random."""
NEAREST = 8
"""Pictures a picture is compared with, as it is and mirrored."""
PER_WORD = 4
"""Landmarks a word has at least, on average, where there are few."""
_ROWS_AT_ONCE = 512
_LANDMARKS_AT_ONCE = 8192
_SEED = 0


def find_alike(landmarks: Sequence[Landmarks]) -> list[tuple[int, int]]:
    """Pairs of pictures that share the most words.

    Args:
        landmarks: Of m pictures.

    Returns:
        Two positions, the smaller first; one may be mirrored.
    """
    from scipy import sparse

    counts = np.array([len(one.points) for one in landmarks], np.int64)
    if len(landmarks) < 2 or not counts.any():
        return []
    owner = np.repeat(np.arange(len(landmarks)), counts)
    described = np.concatenate([one.descriptors for one in landmarks])
    n_words = int(np.clip(len(described) // PER_WORD, 1, N_WORDS))
    rng = np.random.default_rng(_SEED)
    book = described[rng.choice(len(described), n_words, replace=False)].astype(np.float32)
    shape = (len(landmarks), n_words)
    texts = []
    for view in (described, mirrored(described)):
        text = sparse.csr_matrix(
            (np.ones(len(owner), np.float32), (owner, _words(view, book))), shape
        )
        text.sum_duplicates()
        text.data[:] = 1
        texts.append(text)
    shared_by = np.maximum(texts[0].getnnz(axis=0), 1)
    rarity = np.log1p(len(landmarks) / shared_by).astype(np.float32)
    index = (texts[0] @ sparse.diags_array(rarity**2)).T.tocsr()
    found: set[tuple[int, int]] = set()
    for start in range(0, len(landmarks), _ROWS_AT_ONCE):
        part = slice(start, start + _ROWS_AT_ONCE)
        for text in texts:
            scores = (text[part] @ index).toarray()
            for a, b in _nearest(scores, start):
                found.add((min(a, b), max(a, b)))
    return sorted(found)


def _words(descriptors: np.ndarray, book: np.ndarray) -> np.ndarray:
    """The word of each landmark, shape (l,): the likest of those in the book, (v, 128)."""
    words = np.empty(len(descriptors), np.int64)
    for start in range(0, len(descriptors), _LANDMARKS_AT_ONCE):
        part = descriptors[start : start + _LANDMARKS_AT_ONCE].astype(np.float32)
        words[start : start + len(part)] = (part @ book.T).argmax(axis=1)
    return words


def _nearest(scores: np.ndarray, start: int) -> list[tuple[int, int]]:
    """Each row's likest pictures off itself."""
    rows = np.arange(len(scores))
    scores[rows, start + rows] = -1
    count = min(NEAREST, scores.shape[1] - 1)
    columns = np.argpartition(-scores, count - 1, axis=1)[:, :count]
    row, place = np.nonzero(np.take_along_axis(scores, columns, axis=1) > 0)
    return [(start + int(a), int(columns[a, b])) for a, b in zip(row, place, strict=True)]
