"""Whether two commands read the same cells of a data set."""

from __future__ import annotations

import hashlib

from buffycoat.cells import Manifest

KEY = "cells_sha256"
"""Under which `audit.json` and a run's `data.json` keep fingerprints."""


def fingerprint(manifest: Manifest) -> str:
    """SHA-256 of the ids and splits of cells, in whatever order they were read.

    Labels are left out: their spelling depends on the classes that a command asks for.
    """
    pairs = zip(manifest.frame["cell_id"], manifest.frame["split"].fillna(""), strict=True)
    lines = sorted(f"{cell_id}\0{split}\n" for cell_id, split in pairs)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def fingerprints(manifest: Manifest) -> list[str]:
    """Of all cells; and of each site by itself, as it is read alone, where there are several."""
    found = [fingerprint(manifest)]
    sites = manifest.frame["site"].dropna().unique().tolist()
    for site in sites if len(sites) > 1 else ():
        own = manifest.frame.loc[manifest.frame["site"] == site]
        names = own["cell_id"].str.removeprefix(f"{site}/")
        found.append(fingerprint(Manifest(own.assign(cell_id=names))))
    return found
