"""Training of a fold's model: what is deferred, and what each head gives."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from buffycoat.backbones.build import build
from buffycoat.classify import trainee, training_cells
from buffycoat.classify.selection import BestEpoch
from buffycoat.classify.train import fit_fold
from buffycoat.classify.training_cells import TrainingCells
from buffycoat.config import ClassifyConfig, load
from buffycoat.errors import ConfigError, ShapeError
from buffycoat.losses.ldam import COSINE_SCALE

TINY = ClassifyConfig(
    backbone="test_resnet",
    weights="random",
    input_px=32,
    epochs=4,
    batch_size=8,
    precision="fp32",
    sampler="balanced",
    class_weights="effective_number",
)


@pytest.fixture
def cells() -> TrainingCells:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (48, 40, 40, 3), dtype=np.uint8)
    targets = np.repeat([0, 1, 2], [36, 9, 3])
    return TrainingCells(images, np.arange(48), targets, 3)


def test_rebalancing_waits_until_its_epoch(
    cells: TrainingCells, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[str] = []
    weighted: list[bool] = []
    draw_epoch, build_loss = training_cells.draw_epoch, trainee.build_loss

    def watched_draw(targets: np.ndarray, kind: str, *rest: Any) -> np.ndarray:
        drawn.append(kind)
        return draw_epoch(targets, kind, *rest)

    def watched_loss(*args: object, **options: object) -> torch.nn.Module:
        loss = build_loss(*args, **options)  # type: ignore[arg-type]
        is_weighted = options["class_weights"] is not None
        loss.register_forward_hook(lambda *_: weighted.append(is_weighted))
        return loss

    monkeypatch.setattr(training_cells, "draw_epoch", watched_draw)
    monkeypatch.setattr(trainee, "build_loss", watched_loss)
    fit_fold(cells, TINY.model_copy(update={"defer_until": 0.75}), 0, None)
    assert drawn == ["instance"] * 3 + ["balanced"]
    assert weighted == [False] * 18 + [True] * 6


def test_neighbours_on_the_maturation_line_share_a_target(cells: TrainingCells) -> None:
    line = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], dtype=bool)
    staged = replace(cells, neighbours=line)
    expected = [[0.8, 0.2, 0], [0.1, 0.8, 0.1], [0, 0.2, 0.8]]
    assert staged.shared_targets(0.2) == pytest.approx(np.array(expected))
    assert np.array_equal(cells.shared_targets(0.2), np.eye(3))
    # What logit adjustment takes out is what the epoch showed: 36 x 0.8 + 9 x 0.1 of the first.
    soft = TINY.model_copy(update={"maturation_smoothing": 0.2, "sampler": "instance"})
    assert staged.drawn_counts(soft, "instance") == pytest.approx([29.7, 15.0, 3.3])


def test_drawn_counts_are_what_an_epoch_shows(cells: TrainingCells) -> None:
    masks = np.zeros((48, 40, 40), dtype=bool)
    recipe = TINY.model_copy(update={"paste_probability": 0.4, "degrade_probability": 0.0})
    shown = np.zeros(3)
    for epoch in range(60):
        for _, targets in training_cells.batches(replace(cells, masks=masks), recipe, 8, 0, epoch):
            shown += np.bincount(targets, minlength=3)
    expected = cells.drawn_counts(recipe, recipe.sampler)
    assert expected.sum() == pytest.approx(48)
    assert shown / shown.sum() == pytest.approx(expected / 48, abs=0.03)


def test_pasting_without_masks_is_an_error(cells: TrainingCells) -> None:
    with pytest.raises(ShapeError, match="needs the masks"):
        fit_fold(cells, TINY.model_copy(update={"paste_probability": 0.9}), 0, None)


@pytest.mark.parametrize("killed_after", [1, 7, 20])
def test_a_training_killed_at_any_step_ends_with_the_same_weights(
    cells: TrainingCells, tmp_path: Path, killed_after: int
) -> None:
    recipe = TINY.model_copy(update={"ema_decay": 0.9, "mix": "mixup", "defer_until": 0.5})
    unbroken, history = fit_fold(cells, recipe, 3, None)

    def kill(done: int, total: int) -> None:
        if done == killed_after:
            raise KeyboardInterrupt

    path = tmp_path / "checkpoint.safetensors"
    with pytest.raises(KeyboardInterrupt):
        fit_fold(cells, recipe, 3, path, kill)
    resumed, resumed_history = fit_fold(cells, recipe, 3, path)
    assert resumed_history == history
    pairs = zip(unbroken.state_dict().values(), resumed.state_dict().values(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)


def test_ldam_trains_a_cosine_classifier(cells: TrainingCells) -> None:
    model, history = fit_fold(
        cells, TINY.model_copy(update={"loss": "ldam", "head": "cosine"}), 0, None
    )
    logits = model(torch.randn(5, 3, 32, 32))
    assert logits.abs().max() <= COSINE_SCALE
    assert all(np.isfinite(epoch["loss"]) for epoch in history)


def test_ldam_without_cosines_is_refused() -> None:
    with pytest.raises(ConfigError, match="needs head 'cosine'"):
        load("cpu", ["classify.loss=ldam"])


def test_shared_targets_need_a_loss_that_takes_them() -> None:
    with pytest.raises(ConfigError, match="takes no shared targets"):
        load("cpu", ["classify.loss=focal", "classify.maturation_smoothing=0.1"])


@pytest.mark.parametrize("backbone", ["tf_efficientnet_lite0", "resnet18"])
def test_a_cosine_head_does_not_see_the_length_of_features(backbone: str) -> None:
    model: Any = build(backbone, "random", 4, 32, head="cosine").model
    head = model.get_classifier()
    features = torch.randn(6, head.weight.shape[1])
    assert torch.allclose(head(features), head(7 * features), atol=1e-4)
    assert model(torch.randn(2, 3, 32, 32)).shape == (2, 4)


def test_micro_batches_give_the_gradients_of_the_whole_batch(cells: TrainingCells) -> None:
    # Batch norm sees what is in memory, so only a network without it can agree.
    config = TINY.model_copy(
        update={"backbone": "test_vit", "input_px": 160, "epochs": 1, "class_weights": "none"}
    )
    whole, parts = (
        fit_fold(cells, config.model_copy(update={"micro_batch": size}), 0, None) for size in (0, 3)
    )
    assert parts[1][0]["loss"] == pytest.approx(whole[1][0]["loss"], rel=1e-4)
    assert parts[1][0]["accuracy"] == pytest.approx(whole[1][0]["accuracy"])
    for one, other in zip(whole[0].parameters(), parts[0].parameters(), strict=True):
        assert torch.allclose(one, other, atol=3e-4)


def test_layers_far_from_the_classifier_learn_more_slowly() -> None:
    model: Any = build("tf_efficientnet_lite0", "random", 3, 32).model
    config = ClassifyConfig(
        layer_decay=0.5, learning_rate=1e-3, weight_decay=0.1, warmup_epochs=0.0
    )
    groups = trainee.groups(model, config)
    optimiser = torch.optim.AdamW(groups, lr=config.learning_rate)
    trainee.schedule(optimiser, config, config.epochs)
    rate = {id(p): group["lr"] for group in optimiser.param_groups for p in group["params"]}
    assert len(rate) == len(list(model.parameters()))
    stem, head = model.conv_stem.weight, model.classifier.weight
    assert rate[id(head)] == pytest.approx(1e-3)
    assert rate[id(stem)] < 1e-3 / 30
    decayed = {id(p) for group in groups for p in group["params"] if group["weight_decay"]}
    assert id(head) in decayed
    assert id(model.classifier.bias) not in decayed


@pytest.mark.parametrize(("warmup_epochs", "rise"), [(0.0, 0), (2.0, 9), (0.5, 1)])
def test_the_rate_rises_linearly_and_falls_as_a_cosine(warmup_epochs: float, rise: int) -> None:
    config = ClassifyConfig(learning_rate=0.5, epochs=8, warmup_epochs=warmup_epochs)
    optimiser = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(2))], lr=config.learning_rate)
    schedule = trainee.schedule(optimiser, config, 40)
    found = [optimiser.param_groups[0]["lr"]]
    for step in range(1, 41):
        schedule.step_update(step)
        found.append(optimiser.param_groups[0]["lr"])
    up = 0.5 * np.arange(1, rise + 1) / (rise + 1)
    down = 0.25 * (1 + np.cos(np.pi * np.arange(41 - rise) / (40 - rise)))
    np.testing.assert_allclose(found, [*up, *down], atol=1e-12)


def test_the_epoch_that_is_kept_is_the_best_on_cells_set_aside(cells: TrainingCells) -> None:
    recipe = TINY.model_copy(update={"keep_epoch": "inner", "learning_rate": 0.02})
    learned, aside = cells.split_inside(1)
    assert not set(learned.rows) & set(aside.rows)
    assert len(learned.rows) + len(aside.rows) == 48
    assert aside.counts[2] == 0  # three cells are too few to give one away
    model, history = fit_fold(cells, recipe, 1, None)
    best = BestEpoch(aside, recipe, *(torch.zeros(1, 3, 1, 1) + v for v in _scale(recipe)))
    assert best.offer(model) == pytest.approx(
        max(epoch["validation_macro_f1"] for epoch in history)
    )


def _scale(recipe: ClassifyConfig) -> tuple[torch.Tensor, torch.Tensor]:
    built = build(recipe.backbone, "random", 3, recipe.input_px)
    return tuple(torch.tensor(v).view(1, 3, 1, 1) for v in (built.mean, built.std))  # type: ignore


def test_an_inner_split_keeps_patients_whole(cells: TrainingCells) -> None:
    patients = np.array([f"p{i // 4}" for i in range(48)])
    learned, aside = replace(cells, patients=patients).split_inside(0)
    assert len(aside.rows)
    assert not set(learned.patients) & set(aside.patients)  # type: ignore[arg-type]


def test_an_inner_split_leaves_some_of_every_class_to_learn(cells: TrainingCells) -> None:
    """Class 1 is of one patient: all of it would be set aside, or nothing."""
    patients = np.array([f"p{i // 4}" if i < 36 else "only" for i in range(48)])
    for seed in range(5):
        learned, aside = replace(cells, patients=patients).split_inside(seed)
        assert (learned.counts > 0).all()
        assert aside.counts[0] > 0
    few = replace(cells, patients=np.array([f"p{i % 4}" for i in range(48)]))
    with pytest.raises(ConfigError, match="keep_epoch=last"):
        few.split_inside(0)


def test_the_published_choice_looks_at_the_reported_cells(cells: TrainingCells) -> None:
    recipe = TINY.model_copy(update={"keep_epoch": "reported"})
    with pytest.raises(ConfigError, match="no cells to pick an epoch on"):
        fit_fold(cells, recipe, 0, None)
    seen, reported = cells.subset(np.arange(0, 48, 2)), cells.subset(np.arange(1, 48, 2))
    _, history = fit_fold(replace(seen, reported=reported), recipe, 0, None)
    assert all(0 <= epoch["validation_macro_f1"] <= 1 for epoch in history)


def test_the_second_phase_trains_the_last_layer_alone(cells: TrainingCells, tmp_path: Path) -> None:
    one, _ = fit_fold(cells, TINY, 0, None)
    path = tmp_path / "checkpoint.safetensors"
    two, history = fit_fold(cells, TINY.model_copy(update={"retrain_head_epochs": 2}), 0, path)
    assert len(history) == TINY.epochs + 2
    changed = {
        name
        for (name, a), b in zip(one.state_dict().items(), two.state_dict().values(), strict=True)
        if not torch.equal(a, b)
    }
    assert changed == {"fc.weight", "fc.bias"}
    assert [file.name for file in tmp_path.iterdir()] == ["checkpoint.safetensors"]


def test_the_second_phase_keeps_the_average_of_the_first(cells: TrainingCells) -> None:
    recipe = TINY.model_copy(update={"ema_decay": 0.9})
    one, _ = fit_fold(cells, recipe, 0, None)
    two, _ = fit_fold(cells, recipe.model_copy(update={"retrain_head_epochs": 2}), 0, None)
    for (name, a), b in zip(one.state_dict().items(), two.state_dict().values(), strict=True):
        assert torch.equal(a, b) == (not name.startswith("fc.")), name


def test_a_normalised_head_forgets_how_many_cells_a_class_had(cells: TrainingCells) -> None:
    model: Any = fit_fold(cells, TINY.model_copy(update={"head_norm": 1.0}), 0, None)[0]
    length = model.get_classifier().weight.norm(dim=1)
    assert torch.allclose(length, length.mean().expand(3), rtol=1e-4)
    assert not model.get_classifier().bias.any()


def test_processes_share_a_batch_without_changing_a_cell(cells: TrainingCells) -> None:
    recipe = TINY.model_copy(update={"sampler": "square_root"})
    whole = list(training_cells.batches(cells, recipe, 8, 5, 2))
    parts = [list(training_cells.batches(cells, recipe, 8, 5, 2, (r, 2))) for r in range(2)]
    for (mixed, targets), *shares in zip(whole, *parts, strict=True):
        for rank, (share, share_targets) in enumerate(shares):
            assert np.array_equal(share.pixels, mixed.pixels[rank::2])
            assert np.array_equal(share_targets, targets[rank::2])


def test_a_batch_that_cannot_be_shared_is_refused(cells: TrainingCells) -> None:
    with pytest.raises(ConfigError, match="shared by 3 devices evenly"):
        fit_fold(cells, TINY.model_copy(update={"devices": 3}), 0, None)


@pytest.mark.slow
def test_two_processes_end_where_one_does(cells: TrainingCells, tmp_path: Path) -> None:
    # Without batch norm, which sees each process's part of a batch alone, and without dropout.
    changes = {"backbone": "test_vit", "input_px": 160, "epochs": 1, "dropout": 0.0}
    recipe = TINY.model_copy(update=changes | {"class_weights": "none"})
    stored = np.lib.format.open_memmap(tmp_path / "images.npy", "w+", np.uint8, cells.images.shape)
    stored[:] = cells.images
    mapped = replace(cells, images=np.load(tmp_path / "images.npy", mmap_mode="r"))
    seen: list[tuple[int, int]] = []
    one, history = fit_fold(cells, recipe, 0, None)
    path = tmp_path / "checkpoint.safetensors"
    two, shared = fit_fold(
        mapped, recipe.model_copy(update={"devices": 2}), 0, path, lambda *step: seen.append(step)
    )
    assert shared[0]["loss"] == pytest.approx(history[0]["loss"], rel=1e-3)
    assert seen == [(step, 6) for step in range(1, 7)]
    assert path.exists()
    for a, b in zip(one.parameters(), two.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-3)


def test_frozen_parts_come_out_as_they_went_in(cells: TrainingCells) -> None:
    initial = build("test_resnet", "random", 3, 32).model.state_dict()
    recipe = TINY.model_copy(update={"frozen_parts": 2, "epochs": 1})
    model, _ = fit_fold(cells, recipe, 0, None, initial=initial)
    after = model.state_dict()
    same = {name for name in initial if torch.equal(initial[name], after[name])}
    assert same == {name for name in initial if name.startswith(("conv1", "bn1", "layer1"))}


def test_frozen_parts_need_weights_that_know_something() -> None:
    with pytest.raises(ValueError, match="needs pretrained weights"):
        load("cpu", ["classify.frozen_parts=2", "classify.weights=random"])
