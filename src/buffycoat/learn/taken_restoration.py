"""Severity estimator, restorer and gate that a run takes over from another bundle."""

from __future__ import annotations

from dataclasses import replace

from buffycoat.bundle import files
from buffycoat.bundle.fitted import Fitted
from buffycoat.bundle.restoration import Restoration
from buffycoat.config import Config, to_hash
from buffycoat.embed.encoder import Encoder
from buffycoat.errors import ConfigError
from buffycoat.learn.prepare import segment_key
from buffycoat.learn.stage_store import digest
from buffycoat.progress import Reporter
from buffycoat.segment.segmenters import build_segmenter


def take(encoder: Encoder, config: Config, reporter: Reporter) -> tuple[Restoration, str]:
    """The models of another bundle, with this run's settings of when to use them.

    Args:
        encoder: Of the run.
        config: Its settings, which name a bundle.
        reporter: Progress.

    Returns:
        The models and their fingerprint.

    Raises:
        ConfigError: As in `check`.
    """
    source = config.restore.take_from
    reporter.start("restore", f"taken from {source}")
    found = check(encoder, config)
    key = digest(files.checksum(source), to_hash(config.restore), segment_key(config))
    reporter.finish(f"{found.restoration.restorer.name}, fitted by another run")
    taken = replace(
        found.restoration,
        config=config.restore,
        gate=found.restoration.gate if config.restore.gate else None,
        embed=encoder.encode,
        segment=build_segmenter(config.segment),
    )
    return taken, key


def check(encoder: Encoder, config: Config) -> Fitted:
    """The bundle that restoration is taken from, which must be fitted for what this run has.

    Args:
        encoder: Of the run.
        config: Its settings, which name a bundle.

    Raises:
        ConfigError: It was fitted for other images, another encoder or other masks, or has no gate.
    """
    source = config.restore.take_from
    found = files.read(source)
    if found.config.images != config.images:
        raise ConfigError(
            f"restore.take_from={source!r}: that bundle was fitted for {found.config.images}, this "
            f"run has {config.images}. Set images alike, or let the run fit its own"
        )
    if config.restore.gate and not found.encoder.is_alike(encoder):
        raise ConfigError(
            f"restore.take_from={source!r}: its gate compares embeddings of another encoder "
            f"({found.config.embed.encoder} at {found.config.embed.input_px} px). Set embed alike, "
            "or let the run fit its own"
        )
    if config.restore.gate and found.config.segment != config.segment:
        raise ConfigError(
            f"restore.take_from={source!r}: its gate compares masks made by "
            f"{found.config.segment}, this run has {config.segment}. Set segment alike, or let the "
            "run fit its own"
        )
    is_ungated = found.restoration.gate is None
    if config.restore.gate and is_ungated and found.config.restore.method != "identity":
        raise ConfigError(
            f"restore.take_from={source!r}: that bundle has no gate, so every restored image would "
            "be accepted. Set restore.gate=false if that is meant, or let the run fit its own"
        )
    return found
