"""Seconds of processor time that Cellpose takes for a small field, with random weights.

    python -m benchmarks.comparison.cellpose_speed ../shared

The file of weights has 1.2 GB and is deleted at the end.
"""

from __future__ import annotations

import logging
import sys
import tempfile
import time
from pathlib import Path

import torch
from cellpose.models import CellposeModel
from cellpose.vit import CPSAM

from buffycoat import images


def main() -> None:
    """Measure and print."""
    logging.getLogger("cellpose").setLevel(logging.ERROR)
    field = min((Path(sys.argv[1]) / "fields" / "aslan").iterdir())
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "random"
        torch.save(CPSAM().state_dict(), weights)
        model = CellposeModel(gpu=False, pretrained_model=str(weights), use_bfloat16=False)
    began = time.process_time()
    model.eval(images.read(field), batch_size=1)
    print(f"{time.process_time() - began:.2f}")


if __name__ == "__main__":
    main()
