"""What the audit is handed of a bundle: its frozen encoder, as a callable."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from buffycoat.audit.scan import Embed
from buffycoat.bundle.fitted import Fitted
from buffycoat.embed.cache import encode_cached
from buffycoat.images import to_work
from buffycoat.predict.background import as_seen


def make_embedder(fitted: Fitted, cache: Path | None) -> Embed:
    """Photographs to embeddings, as `similar` makes them, and from the same cache.

    Args:
        fitted: Of a bundle.
        cache: Folder of embeddings that were computed before; None to keep none.
    """
    settings = fitted.config.images

    def embed(photographs: Sequence[np.ndarray]) -> np.ndarray:
        work = np.stack(
            [to_work(one, settings.work_px, settings.frame_fraction) for one in photographs]
        )
        return encode_cached(fitted.encoder, as_seen(work, fitted), cache)

    return embed
