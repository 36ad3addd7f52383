"""What one writes without buffycoat: a timm network, a weighted sampler, cross-entropy, softmax.

    python -m benchmarks.comparison.plain_timm train PBC-LT MODEL.pt
    python -m benchmarks.comparison.plain_timm predict MODEL.pt IMAGES.txt PROBS.csv

All training cells are learned from, for a number of epochs that is fixed beforehand, and the last
weights are kept: no cell of another split is looked at. Killed, the same command goes on from its
last epoch; lines for that are marked, and not counted as lines that a user writes.
"""

import argparse
import time
from pathlib import Path

import pandas as pd
import torch
from PIL import Image
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, WeightedRandomSampler
from torchvision import transforms as T

# With a network: timm.create_model(NETWORK, pretrained=True, num_classes=len(CODES)).
from buffycoat.backbones.build import build

NETWORK = "tf_efficientnet_lite0"
CODES = ["SNE", "LY", "MO", "EO", "BNE", "MY", "BA", "MMY", "ERB", "PMY"]
SIDE_PX, INPUT_PX, EPOCHS, BATCH, RATE = 128, 112, 12, 32, 1e-3
BUILT = build(NETWORK, "wheel", len(CODES), INPUT_PX, dropout=0.2)
AS_NUMBERS = [T.ToTensor(), T.Normalize(BUILT.mean, BUILT.std)]
AUGMENT = [
    T.RandomRotation(180, T.InterpolationMode.BILINEAR, fill=(230, 220, 220)),
    T.RandomResizedCrop(INPUT_PX, scale=(0.6, 1.0), ratio=(0.9, 1.1)),
    T.RandomHorizontalFlip(),
    T.RandomVerticalFlip(),
    T.ColorJitter(brightness=0.2, contrast=0.2, saturation=0.2, hue=0.02),
]


class Cells(Dataset):
    """Photographs, read once and kept small."""

    def __init__(self, paths, labels, steps):
        self.images = [Image.open(p).convert("RGB").resize((SIDE_PX, SIDE_PX)) for p in paths]
        self.labels, self.steps = labels, T.Compose(steps)

    def __len__(self):
        return len(self.images)

    def __getitem__(self, row):
        return self.steps(self.images[row]), self.labels[row]


def training_cells(data):
    """Paths and columns of `CODES` of PBC-LT's training cells."""
    paths, labels = [], []
    for table, folder in (("phase1_label", "phase1"), ("phase2_train", "phase2/train")):
        cells = pd.read_csv(data / f"{table}.csv")
        paths += [data / folder / name for name in cells["ID"]]
        labels += [CODES.index(label) for label in cells["labels"]]
    return paths, torch.tensor(labels)


def train(data, out):
    """Train, and write the last weights."""
    paths, labels = training_cells(data)
    weights = 1.0 / torch.bincount(labels)[labels]
    cells = Cells(paths, labels, AUGMENT + AS_NUMBERS)
    sampler = WeightedRandomSampler(weights, len(cells))
    loader = DataLoader(cells, BATCH, sampler=sampler, drop_last=True)
    model = BUILT.model
    optimiser = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=1e-2)
    rates = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, RATE, total_steps=EPOCHS * len(loader), pct_start=0.1
    )
    done, seconds = 0, 0.0
    kept = out.with_suffix(".part")  # resume
    if kept.exists():  # resume
        state = torch.load(kept, weights_only=True)  # resume
        model.load_state_dict(state["model"])  # resume
        optimiser.load_state_dict(state["optimiser"])  # resume
        rates.load_state_dict(state["rates"])  # resume
        done, seconds = state["done"], state["seconds"]  # resume
    model.train()
    for epoch in range(done, EPOCHS):
        torch.manual_seed(epoch)
        began = time.process_time()
        for images, targets in loader:
            loss = F.cross_entropy(model(images), targets)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            rates.step()
        seconds += time.process_time() - began
        print(f"epoch {epoch}: loss {loss.item():.3f}, {seconds:.0f} s of CPU", flush=True)
        state = {"model": model.state_dict(), "seconds": seconds}
        state |= {"optimiser": optimiser.state_dict(), "rates": rates.state_dict()}  # resume
        state |= {"done": epoch + 1}  # resume
        torch.save(state, kept.with_suffix(".new"))  # resume
        kept.with_suffix(".new").replace(kept)  # resume
    torch.save({"model": model.state_dict(), "seconds": seconds}, out.with_suffix(".new"))
    out.with_suffix(".new").replace(out)  # resume


@torch.inference_mode()
def predict(model_file, paths, out):
    """Softmax of each photograph."""
    model = BUILT.model.eval()
    model.load_state_dict(torch.load(model_file, weights_only=True)["model"])
    cells = Cells(paths, [0] * len(paths), [T.CenterCrop(INPUT_PX), *AS_NUMBERS])
    probs = torch.cat([model(images).softmax(1) for images, _ in DataLoader(cells, 64)])
    table = pd.DataFrame(probs.numpy(), columns=CODES)
    table.insert(0, "path", [str(path) for path in paths])
    table.to_csv(out, index=False)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("train")
    one.add_argument("data", type=Path)
    one.add_argument("model", type=Path)
    one = commands.add_parser("predict")
    one.add_argument("model", type=Path)
    one.add_argument("images", type=Path)
    one.add_argument("out", type=Path)
    options = parser.parse_args()
    if options.command == "train":
        train(options.data, options.model)
    else:
        predict(options.model, options.images.read_text().splitlines(), options.out)
