from __future__ import annotations

import numpy as np
import pytest
import torch

from buffycoat.backbones.prefetch import prefetch
from buffycoat.training import checkpoint as checkpoints
from buffycoat.training.loop import fit


class Line:
    """A trainee small enough to check by eye, with dropout and a momentum optimiser."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.model = torch.nn.Sequential(
            torch.nn.Linear(4, 8), torch.nn.Dropout(0.5), torch.nn.Linear(8, 1)
        )
        self.optimiser = torch.optim.AdamW(self.model.parameters(), lr=0.01)

    def step(self, batch):
        x, y = (torch.from_numpy(part) for part in batch)
        loss = (self.model(x)[:, 0] - y).square().mean()
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return {"loss": loss}

    def state_dict(self):
        return {"model": self.model.state_dict(), "optimiser": self.optimiser.state_dict()}

    def load_state_dict(self, state):
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])


def batches(epoch):
    rng = np.random.default_rng(epoch)
    for _ in range(3):
        x = rng.normal(size=(16, 4)).astype(np.float32)
        yield x, x.sum(axis=1)


class KilledError(Exception):
    pass


def test_a_killed_run_ends_with_the_weights_of_an_unbroken_one(tmp_path):
    unbroken = Line()
    history = fit(unbroken, batches, 5, 3, None, seed=7)

    def kill_at_step_8(done, total):
        if done == 8:
            raise KilledError

    path = tmp_path / "c.safetensors"
    with pytest.raises(KilledError):
        fit(Line(), batches, 5, 3, path, seed=7, on_progress=kill_at_step_8)
    resumed = Line()
    resumed_history = fit(resumed, batches, 5, 3, path, seed=7)

    assert resumed_history == history
    for a, b in zip(unbroken.model.parameters(), resumed.model.parameters(), strict=True):
        assert torch.equal(a, b)


def test_training_lowers_the_loss():
    history = fit(Line(), batches, 30, 3, None, seed=0)
    assert history[-1]["loss"] < 0.5 * history[0]["loss"]


def test_an_error_in_the_thread_reaches_the_caller():
    def broken():
        yield 1
        raise ValueError("no such cell")

    seen = []
    with pytest.raises(ValueError, match="no such cell"):
        seen.extend(prefetch(broken()))


def test_prefetch_keeps_order_and_ends():
    assert list(prefetch(range(50), ahead=2)) == list(range(50))


def test_an_abandoned_prefetch_stops_its_thread():
    made = []

    def count():
        for i in range(1000):
            made.append(i)
            yield i

    iterator = prefetch(count(), ahead=2)
    next(iterator)
    iterator.close()
    assert len(made) < 10


def test_checkpoint_keeps_structure_and_bits(tmp_path):
    state = {
        "optimiser": {"state": {0: {"step": torch.tensor(3.0), "avg": torch.randn(2, 3)}}},
        "groups": [{"lr": 0.1, "betas": [0.9, 0.99], "params": [0]}],
        "none": None,
    }
    checkpoints.save(tmp_path / "s.safetensors", state)
    loaded = checkpoints.load(tmp_path / "s.safetensors")
    assert loaded["groups"] == state["groups"]
    assert loaded["none"] is None
    assert torch.equal(
        loaded["optimiser"]["state"][0]["avg"], state["optimiser"]["state"][0]["avg"]
    )
