"""What the audit is handed of a bundle: its frozen encoder, as a callable."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from buffycoat.audit.scan import Embed
from buffycoat.bundle.fitted import Fitted
from buffycoat.embed.cache import encode_cached
from buffycoat.images import framed
from buffycoat.predict.background import as_seen


def make_embedder(fitted: Fitted, cache: Path | None) -> Embed:
    """Photographs to embeddings, as `similar` makes them, and from the same cache.

    Args:
        fitted: Of a bundle.
        cache: Folder of embeddings that were computed before; None to keep none.
    """
    settings = fitted.config.images

    def embed(
        photographs: Sequence[np.ndarray], um_per_px: Sequence[float | None] | None = None
    ) -> np.ndarray:
        wide = um_per_px or [None] * len(photographs)
        cells = zip(photographs, wide, strict=True)
        work = np.stack([framed(photograph, settings, um) for photograph, um in cells])
        return encode_cached(fitted.encoder, as_seen(work, fitted), cache)

    return embed
