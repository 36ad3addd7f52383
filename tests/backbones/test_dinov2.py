"""DINOv2 checkpoints as trainings save them, against DINOv2's arithmetic written out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional as F
from torch.torch_version import TorchVersion

from buffycoat.backbones.build import build
from buffycoat.backbones.dinov2 import read_dinov2
from buffycoat.config import EmbedConfig
from buffycoat.embed.encoders import build_encoder, from_spec
from buffycoat.errors import ConfigError, WeightsNotFoundError

SMALL = "vit_small_patch14_dinov2"
PATCH, WIDTH, HEADS, BLOCKS = 14, 384, 6, 12

State = dict[str, torch.Tensor]


def _shapes(grid: int) -> dict[str, tuple[int, ...]]:
    """Names of the published ViT-S/14, as facebookresearch/dinov2 gives them."""
    shapes: dict[str, tuple[int, ...]] = {
        "cls_token": (1, 1, WIDTH),
        "pos_embed": (1, 1 + grid**2, WIDTH),
        "mask_token": (1, WIDTH),
        "patch_embed.proj.weight": (WIDTH, 3, PATCH, PATCH),
        "patch_embed.proj.bias": (WIDTH,),
        "norm.weight": (WIDTH,),
        "norm.bias": (WIDTH,),
    }
    layers = {
        "attn.qkv": (3 * WIDTH, WIDTH),
        "attn.proj": (WIDTH, WIDTH),
        "mlp.fc1": (4 * WIDTH, WIDTH),
        "mlp.fc2": (WIDTH, 4 * WIDTH),
    }
    for block in range(BLOCKS):
        for layer, shape in layers.items():
            shapes[f"blocks.{block}.{layer}.weight"] = shape
            shapes[f"blocks.{block}.{layer}.bias"] = shape[:1]
        for vector in ("norm1.weight", "norm1.bias", "norm2.weight", "norm2.bias"):
            shapes[f"blocks.{block}.{vector}"] = (WIDTH,)
        for scale in ("ls1.gamma", "ls2.gamma"):
            shapes[f"blocks.{block}.{scale}"] = (WIDTH,)
    return shapes


def _random(grid: int) -> State:
    draw = torch.Generator().manual_seed(0)
    return {
        name: torch.randn(shape, generator=draw) * 0.05 + (0.5 if len(shape) == 1 else 0.0)
        for name, shape in _shapes(grid).items()
    }


@pytest.fixture(scope="module")
def state() -> State:
    return _random(grid=2)


def _as_trained(state: State) -> dict[str, Any]:
    """The teacher as DinoBloom's files hold it: prefixed, with its heads."""
    heads = {"dino_head.last_layer.weight_g": torch.ones(3), "ibot_head.mlp.0.bias": torch.ones(3)}
    return {"teacher": {**{f"backbone.{name}": value for name, value in state.items()}, **heads}}


@pytest.fixture(scope="module")
def checkpoint(state: State, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("dino") / "DinoBloom-S.pth"
    torch.save(_as_trained(state), path)
    return path


def _class_token(state: State, x: torch.Tensor) -> torch.Tensor:
    """DINOv2's forward pass, up to the normalised class token."""

    def linear(x: torch.Tensor, name: str) -> torch.Tensor:
        return F.linear(x, state[f"{name}.weight"], state[f"{name}.bias"])

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        return F.layer_norm(x, (WIDTH,), state[f"{name}.weight"], state[f"{name}.bias"], eps=1e-6)

    def attention(x: torch.Tensor, name: str) -> torch.Tensor:
        n, tokens, _ = x.shape
        qkv = linear(x, f"{name}.qkv").reshape(n, tokens, 3, HEADS, WIDTH // HEADS)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        weights = (q @ k.transpose(-2, -1) / (WIDTH // HEADS) ** 0.5).softmax(dim=-1)
        return linear((weights @ v).transpose(1, 2).reshape(n, tokens, WIDTH), f"{name}.proj")

    proj = "patch_embed.proj"
    patches = F.conv2d(x, state[f"{proj}.weight"], state[f"{proj}.bias"], stride=PATCH)
    cls = state["cls_token"].expand(len(x), -1, -1)
    x = torch.cat([cls, patches.flatten(2).transpose(1, 2)], dim=1) + state["pos_embed"]
    for block in (f"blocks.{number}" for number in range(BLOCKS)):
        x = x + state[f"{block}.ls1.gamma"] * attention(norm(x, f"{block}.norm1"), f"{block}.attn")
        hidden = F.gelu(linear(norm(x, f"{block}.norm2"), f"{block}.mlp.fc1"))
        x = x + state[f"{block}.ls2.gamma"] * linear(hidden, f"{block}.mlp.fc2")
    return norm(x, "norm")[:, 0]


def test_features_are_those_of_dinov2_s_own_arithmetic(state: State, checkpoint: Path) -> None:
    built = build(SMALL, str(checkpoint), 0, 2 * PATCH)
    x = torch.randn(2, 3, 2 * PATCH, 2 * PATCH, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected, features = _class_token(state, x), built.model(x)
    assert expected.std() > 0.01
    assert (expected[0] - expected[1]).abs().max() > 0.01
    torch.testing.assert_close(features, expected, atol=1e-4, rtol=1e-4)
    assert built.mean == (0.485, 0.456, 0.406)
    assert "DinoBloom-S.pth sha256:" in built.source


@pytest.mark.parametrize("prefix", ["", "backbone.", "teacher.backbone."])
def test_a_safetensors_file_serves_as_well(state: State, tmp_path: Path, prefix: str) -> None:
    path = tmp_path / "net.safetensors"
    save_file({f"{prefix}{name}": value for name, value in state.items()}, path)
    read = read_dinov2(path)
    assert read.keys() == state.keys()
    assert all(torch.equal(read[name], state[name]) for name in state)


def test_positions_are_resampled_to_the_input_s_size(state: State, tmp_path: Path) -> None:
    larger = {
        **state,
        "pos_embed": torch.cat([state["pos_embed"][:, :1], torch.ones(1, 9, WIDTH)], 1),
    }
    torch.save(_as_trained(larger), tmp_path / "net.pth")
    positions: Any = build(SMALL, str(tmp_path / "net.pth"), 0, 2 * PATCH).model.pos_embed
    assert torch.equal(positions[:, 0], state["pos_embed"][:, 0])
    torch.testing.assert_close(positions[:, 1:], torch.ones(1, 4, WIDTH))


def test_a_file_that_does_not_fit_names_itself_and_a_few_parameters(
    state: State, tmp_path: Path
) -> None:
    path = tmp_path / "net.pth"
    torch.save({name: value for name, value in state.items() if "blocks.1" not in name}, path)
    with pytest.raises(WeightsNotFoundError, match=r"net\.pth.*not of.*blocks\.1\.") as caught:
        build(SMALL, str(path), 0, 2 * PATCH)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("stored", [{"epoch": 3}, {"teacher": 3}, [1, 2], {"cls_token": 1}])
def test_a_file_without_a_backbone_says_what_it_holds(tmp_path: Path, stored: Any) -> None:
    torch.save(stored, tmp_path / "net.pth")
    with pytest.raises(WeightsNotFoundError, match=r"net\.pth: not a DINOv2 backbone.*got"):
        read_dinov2(tmp_path / "net.pth")


class _Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[Path]]:
        return Path.touch, (self.path,)


def test_code_in_a_checkpoint_is_refused_and_does_not_run(tmp_path: Path) -> None:
    torch.save({"teacher": _Trap(tmp_path / "ran")}, tmp_path / "net.pth")
    with pytest.raises(ConfigError, match=r"net\.pth.*could run code"):
        read_dinov2(tmp_path / "net.pth")
    assert not (tmp_path / "ran").exists()


def test_missing_and_broken_files_are_told_apart(tmp_path: Path, checkpoint: Path) -> None:
    path = tmp_path / "net.pth"
    with pytest.raises(WeightsNotFoundError, match="no such file"):
        read_dinov2(path)
    path.write_bytes(checkpoint.read_bytes()[:100_000])
    with pytest.raises(WeightsNotFoundError, match="not a readable"):
        read_dinov2(path)


def test_a_torch_that_runs_code_in_a_checkpoint_is_refused(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "__version__", TorchVersion("2.5.1+cpu"))
    with pytest.raises(ConfigError, match=r"2\.5\.1.*Install torch 2\.6"):
        read_dinov2(checkpoint)


def test_a_size_between_patches_says_the_nearest_ones(checkpoint: Path) -> None:
    with pytest.raises(ConfigError, match="224 and 238"):
        build(SMALL, str(checkpoint), 0, 230)


def test_an_encoder_takes_it_by_name_and_path(checkpoint: Path) -> None:
    config = EmbedConfig(encoder=SMALL, weights=str(checkpoint), input_px=2 * PATCH)
    encoder = build_encoder(config)
    images = np.random.default_rng(0).integers(0, 256, (2, 40, 40, 3), dtype=np.uint8)
    assert encoder.encode(images).shape == (2, WIDTH)
    assert from_spec(encoder.spec()).fingerprint == encoder.fingerprint
