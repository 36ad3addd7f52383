r"""Random weights of preset `paper`'s networks, laid out as the Hugging Face hub's cache lays them.

    python -m benchmarks.paper_weights FOLDER            # 3.7 GB
    HF_HOME=FOLDER HF_HUB_OFFLINE=1 buffycoat doctor --preset paper

The files have the names, types and shapes of those on the hub, so loading, preprocessing, memory
and time are those of the published recipe. The values are random: no score means anything. Keep the
folder apart from the cache in your home, where programs would take these weights for the real ones.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import timm
import torch
from safetensors.torch import save_file
from transformers import SiglipConfig, SiglipImageProcessor, SiglipModel

from buffycoat.config import Config, load
from buffycoat.errors import OutputError

SO400M = {
    "hidden_size": 1152,
    "intermediate_size": 4304,
    "num_hidden_layers": 27,
    "num_attention_heads": 16,
}
"""Both towers of MedSigLIP: the shape-optimised ViT of arXiv 2305.13035, 400 million weights."""
PATCH_PX = 14
VOCABULARY, TOKENS = 32_000, 64
NOTE = "RANDOM WEIGHTS, made by benchmarks/paper_weights.py: for trials of size and speed alone.\n"


def snapshot(home: Path, repo: str) -> Path:
    """The folder of a repository's files in a hub cache, made; the library finds it by `refs/`."""
    root = home / "hub" / f"models--{repo.replace('/', '--')}"
    commit = hashlib.sha1(f"random {repo}".encode()).hexdigest()
    (root / "refs").mkdir(parents=True, exist_ok=True)
    (root / "refs" / "main").write_text(commit)
    folder = root / "snapshots" / commit
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "README.md").write_text(NOTE)
    return folder


def write_backbone(folder: Path, name: str) -> None:
    """A timm model with the classifier that it was published with, in fp32."""
    model = timm.create_model(name, pretrained=False)
    save_file(
        {k: v.contiguous() for k, v in model.state_dict().items()}, folder / "model.safetensors"
    )


def write_siglip(folder: Path, image_px: int, patch_px: int, sizes: dict[str, int]) -> None:
    """Both towers of a SigLIP in fp32, and how its images are prepared."""
    config = SiglipConfig(
        text_config={
            **sizes,
            "vocab_size": VOCABULARY,
            "max_position_embeddings": TOKENS,
            "projection_size": sizes["hidden_size"],
        },
        vision_config={**sizes, "image_size": image_px, "patch_size": patch_px},
    )
    SiglipModel(config).save_pretrained(folder, max_shard_size="10GB")
    side = {"height": image_px, "width": image_px}
    SiglipImageProcessor(size=side, resample=2).save_pretrained(folder)


def write(home: Path, config: Config, sizes: dict[str, int] = SO400M) -> None:
    """Both networks that the settings name on the hub, as a hub cache.

    Raises:
        OutputError: The folder holds something else; it is left alone.
    """
    if home.exists() and any(home.iterdir()) and not (home / "RANDOM").exists():
        raise OutputError(f"{home}: holds something else. Choose an empty folder")
    home.mkdir(parents=True, exist_ok=True)
    (home / "RANDOM").write_text(NOTE)
    torch.manual_seed(0)
    backbone = config.classify.backbone
    write_backbone(snapshot(home, f"timm/{backbone}"), backbone)
    encoder = snapshot(home, config.embed.weights)
    write_siglip(encoder, config.embed.input_px, PATCH_PX, sizes)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("home", type=Path, help="what HF_HOME is to be; outside the repository")
    home = parser.parse_args(arguments).home
    write(home, load("paper"))
    size = sum(file.stat().st_size for file in home.rglob("*") if file.is_file())
    print(f"{home}: {size / 1e9:.1f} GB")


if __name__ == "__main__":
    main()
