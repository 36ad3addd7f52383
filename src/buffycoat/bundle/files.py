"""One folder that holds a trained system: written whole, verified when it is read, no pickle."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

import buffycoat
from buffycoat.backbones.arrays import save_arrays
from buffycoat.bundle.fitted import Fitted
from buffycoat.bundle.graphs import store_encoder, write_graphs
from buffycoat.bundle.networks import FOLDS, Networks, under
from buffycoat.bundle.restoration import Restoration
from buffycoat.classify.cascade import Cascade
from buffycoat.config import Config, to_hash
from buffycoat.embed.encoder import Encoder
from buffycoat.embed.gallery import Gallery
from buffycoat.embed.outliers import OutlierModel
from buffycoat.embed.panel import MODELS, Panel
from buffycoat.errors import BundleError, OutputError
from buffycoat.fuse.label_rule import PowerFit
from buffycoat.fuse.stack import Stack
from buffycoat.refine.abroad import AbroadLimits
from buffycoat.refine.decide import Conformal, Distributions
from buffycoat.refine.rescue import RescueRules
from buffycoat.restore.gate import GateLimits
from buffycoat.restore.severity import SeverityEstimator
from buffycoat.segment.segmenters import build_segmenter
from buffycoat.sites.reference import AdaptedSite, SiteReference
from buffycoat.taxonomy import Taxonomy

FORMAT = 2
STARTER = "starter"
INDEX = "bundle.json"


def write(
    folder: Path,
    fitted: Fitted,
    metrics: Mapping[str, Any],
    model_card: str,
    is_half: bool = False,
) -> Path:
    """Write a bundle; an older one of that name is replaced only once the new one is whole.

    Args:
        folder: Where; a folder that holds anything but a bundle is left alone.
        fitted: What.
        metrics: Goes into metrics.json.
        model_card: Goes into MODEL_CARD.md.
        is_half: Store network weights in fp16: half the size, and results that differ in the
            third digit of a probability.

    Returns:
        The folder.

    Raises:
        OutputError: The folder cannot be written, or holds something else.
    """
    if folder.exists() and not (folder / INDEX).exists() and any(folder.iterdir()):
        raise OutputError(
            f"{folder}: is there already and holds no bundle; writing one would remove what is in "
            "it. Choose another folder"
        )
    part = folder.with_name(f".{folder.name}.part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        _write_tensors(part, fitted, is_half)
        parts = ("rules", "conformal", "distributions")
        refine = {name: getattr(fitted, name).to_dict() for name in parts}
        _write_json(part / "refine.json", refine)
        _write_json(part / "metrics.json", metrics)
        (part / "MODEL_CARD.md").write_text(model_card, encoding="utf-8")
        index = _index(fitted) | {"encoder": store_encoder(part, fitted.encoder, is_half)}
        index["engines"] = write_graphs(part, index)
        write_index(part, index)
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(part, folder)
    except OSError as error:
        raise OutputError(f"{folder}: the bundle cannot be written ({error})") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


def add_home(folder: Path, home: SiteReference) -> None:
    """Give a bundle what is known of its training cells' laboratory; only the index changes.

    Args:
        folder: Of the bundle.
        home: Of its training cells.

    Raises:
        BundleError: A file was changed since it was written.
    """
    index = _read_json(folder / INDEX)
    _verify(folder, index["files"])
    write_index(folder, index | {"home": home.to_dict()})


def read(bundle: str | Path, engine: str = "auto") -> Fitted:
    """Read a bundle and verify every file. Networks are opened when a cell needs them.

    Args:
        bundle: Its folder, or "starter".
        engine: "auto", "openvino" or "torch" (see `backbones.choice`).

    Raises:
        BundleError: No bundle, one of another format, or a file that was changed or is missing.
        WeightsNotFoundError: Every cell must be embedded, and the encoder's weights are not there.
    """
    folder = locate(bundle)
    index = _read_json(folder / INDEX)
    if index.get("format") != FORMAT:
        raise BundleError(
            f"{folder}: bundle format {index.get('format')}; this version reads {FORMAT}. "
            "Train again, or use the version that wrote it"
        )
    _verify(folder, index["files"])
    config = Config.model_validate(index["config"])
    taxonomy = Taxonomy.from_dict(index["taxonomy"], str(folder))
    refine = _read_json(folder / "refine.json")
    networks = Networks(folder, index, engine)
    encoder = networks.encoder()
    fitted = Fitted(
        config=config,
        taxonomy=taxonomy,
        counts=np.array(index["counts"]),
        restoration=_read_restoration(index, config, encoder, networks),
        models=networks.folds(config),
        temperatures=tuple(index["temperatures"]),
        use=index["use"],
        encoder=encoder,
        panels=_read_panels(folder, index["panels"]),
        outliers=OutlierModel.from_tensors(
            index["outliers"], _full(load_file(folder / "outliers.safetensors"))
        ),
        gallery=Gallery.from_tensors(
            _full(load_file(folder / "gallery.safetensors")), index["gallery"]
        ),
        stack=Stack.from_dict(index["stack"]),
        rules=RescueRules.from_dict(refine["rules"]),
        conformal=Conformal.from_dict(refine["conformal"]),
        distributions=Distributions.from_dict(refine["distributions"]),
        provenance=index["provenance"],
        coarse_counts=index.get("coarse_counts", {}),
        cascade=Cascade.from_dict(index["cascade"]) if index.get("cascade") else None,
        home=SiteReference.from_dict(index["home"]) if index.get("home") else None,
        site=AdaptedSite.from_dict(index["site"]) if index.get("site") else None,
        abroad=AbroadLimits.from_dict(index["abroad"]) if index.get("abroad") else None,
        power_fit=PowerFit.from_dict(index["labels"]) if index.get("labels") else None,
    )
    if fitted.panels or not fitted.outliers.sees_logits:
        _ = encoder.engine  # every cell needs it: weights that are not there are missed now
    return fitted


def side_files(folder: Path) -> tuple[dict[str, Any], str]:
    """Metrics and model card of a bundle, as `write` takes them."""
    card = (folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    return _read_json(folder / "metrics.json"), card


def is_half(folder: Path) -> bool:
    """Whether a bundle stores its networks in fp16."""
    stored = load_file(folder / FOLDS)
    return any(value.dtype == np.float16 for value in stored.values())


def locate(bundle: str | Path) -> Path:
    """The folder of a bundle; "starter" is the one inside the package.

    Raises:
        BundleError: There is no bundle.
    """
    folder = Path(bundle)
    if str(bundle) == STARTER and not (folder / INDEX).exists():
        folder = Path(str(resources.files("buffycoat").joinpath(STARTER)))
    if not (folder / INDEX).is_file():
        raise BundleError(
            f"{folder}: not a bundle (no {INDEX} in it). Give the folder that `buffycoat train` "
            f"named at its end, or {STARTER!r}"
        )
    return folder


def checksum(bundle: str | Path) -> str:
    """SHA-256 of a bundle's index, which holds the checksums of its other files."""
    return _sha256(locate(bundle) / INDEX)


def fingerprint(tensors: Mapping[str, Any], *settings: Any) -> str:
    """A short hash of weights and of the plain values beside them."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for name, value in sorted(tensors.items()):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(value).tobytes())
    return digest.hexdigest()[:16]


def _index(fitted: Fitted) -> dict[str, Any]:
    gate = fitted.restoration.gate
    return {
        "format": FORMAT,
        "version": buffycoat.__version__,
        "taxonomy": fitted.taxonomy.to_dict(),
        "config": fitted.config.model_dump(mode="json"),
        "config_hash": to_hash(fitted.config),
        "counts": fitted.counts.tolist(),
        "coarse_counts": dict(fitted.coarse_counts),
        "severity": fitted.restoration.severity.to_dict(),
        "restorer": fitted.restoration.restorer.to_dict(),
        "gate": gate.to_dict() if gate else None,
        "log_priors": [model.log_prior.tolist() for model in fitted.models],
        "temperatures": list(fitted.temperatures),
        "use": fitted.use,
        "panels": {kind: panel.to_dict() for kind, panel in fitted.panels.items()},
        "outliers": fitted.outliers.name,
        "gallery": list(fitted.gallery.cell_ids),
        "stack": fitted.stack.to_dict(),
        "provenance": dict(fitted.provenance),
        "cascade": fitted.cascade.to_dict() if fitted.cascade else None,
        "home": fitted.home.to_dict() if fitted.home else None,
        "site": fitted.site.to_dict() if fitted.site else None,
        "abroad": fitted.abroad.to_dict() if fitted.abroad else None,
        "labels": fitted.power_fit.to_dict() if fitted.power_fit else None,
    }


def _tensors(fitted: Fitted) -> dict[str, dict[str, Any]]:
    """File -> its tensors."""
    return {
        "folds": _numbered([model.state for model in fitted.models]),
        "panels": {
            f"{kind}.{name}": tensor
            for kind, panel in fitted.panels.items()
            for name, tensor in _numbered(panel.to_tensors()).items()
        },
        "restorer": dict(fitted.restoration.restorer.to_tensors()),
        "outliers": dict(fitted.outliers.to_tensors()),
        "gallery": dict(fitted.gallery.to_tensors()),
    }


def _write_tensors(folder: Path, fitted: Fitted, is_half: bool) -> None:
    for name, tensors in _tensors(fitted).items():
        # Covariances would lose their definiteness in fp16.
        _save(folder / f"{name}.safetensors", tensors, is_half and name != "outliers")


def _numbered(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {f"{i}.{name}": value for i, part in enumerate(parts) for name, value in part.items()}


def _save(path: Path, tensors: Mapping[str, np.ndarray], is_half: bool) -> None:
    if is_half:
        tensors = {
            n: t.astype(np.float16) if np.issubdtype(t.dtype, np.floating) else t
            for n, t in tensors.items()
        }
    save_arrays(tensors, path)


def write_index(folder: Path, index: Mapping[str, Any]) -> None:
    """Write the index of a bundle, with the checksums of the files that lie there now."""
    checked = {path.name: _sha256(path) for path in sorted(folder.iterdir()) if path.name != INDEX}
    _write_json(folder / INDEX, {**index, "files": checked})


def _read_panels(folder: Path, tables: Mapping[str, Mapping[str, Any]]) -> dict[str, Panel]:
    tensors = load_file(folder / "panels.safetensors")
    panels = {}
    for kind, table in tables.items():
        own = under(tensors, kind)
        models = [_full(under(own, number)) for number in range(len(table[MODELS]))]
        panels[kind] = Panel.from_tensors(kind, models, table)
    return panels


def _read_restoration(
    index: Mapping[str, Any], config: Config, encoder: Encoder, networks: Networks
) -> Restoration:
    return Restoration(
        config.restore,
        SeverityEstimator.from_dict(index["severity"]),
        networks.restorer(config),
        GateLimits.from_dict(index["gate"]) if index["gate"] else None,
        encoder.encode,
        build_segmenter(config.segment),
    )


def _full(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same arrays; half precision becomes fp32."""
    return {
        name: value.astype(np.float32) if value.dtype == np.float16 else value
        for name, value in tensors.items()
    }


def _verify(folder: Path, files: Mapping[str, str]) -> None:
    for name, expected in files.items():
        path = folder / name
        if not path.is_file():
            raise BundleError(f"{path}: missing from the bundle. Copy the bundle again as a whole")
        if _sha256(path) != expected:
            raise BundleError(
                f"{path}: changed since the bundle was written (its SHA-256 is not the one in "
                f"{INDEX}). Copy the bundle again from where it was trained"
            )


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_json(path: Path, values: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(values, indent=1, allow_nan=False), encoding="utf-8")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BundleError(f"{path}: cannot be read ({error}). Copy the bundle again") from error
