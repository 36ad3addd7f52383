from __future__ import annotations

import inspect
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from buffycoat.embed import cache
from buffycoat.embed.cache import DamagedShardWarning, UnkeptWarning, encode_cached
from buffycoat.embed.encoders import BackboneEncoder
from buffycoat.progress import Progress


class PixelEncoder:
    """The pixels themselves, scaled to length 1; keeps the images of every call.

    Args:
        power: Of the pixels.
        failing_call: Number of the call that is killed; None for none.
    """

    def __init__(self, power: int = 1, failing_call: int | None = None) -> None:
        self.power, self.failing_call = power, failing_call
        self.calls: list[np.ndarray] = []

    @property
    def fingerprint(self) -> str:
        return f"pixels{self.power}"

    def encode(self, images: np.ndarray, on_progress: Progress | None = None) -> np.ndarray:
        self.calls.append(images)
        if len(self.calls) == self.failing_call:
            raise KeyboardInterrupt
        rows = images.reshape(len(images), -1).astype(np.float32) ** self.power
        for done in range(len(images)):
            if on_progress is not None:
                on_progress(done + 1, len(images))
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    @property
    def counts(self) -> list[int]:
        """Images in each call."""
        return [len(images) for images in self.calls]


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)


@pytest.fixture
def two_a_shard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "CELLS_A_SHARD", 2)


def _expected(images: np.ndarray, power: int = 1) -> np.ndarray:
    return PixelEncoder(power).encode(images)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.mark.usefixtures("two_a_shard")
def test_only_what_is_new_is_computed(images: np.ndarray, tmp_path: Path) -> None:
    encoder, steps = PixelEncoder(), []
    some = encode_cached(encoder, images[[4, 1, 2]], tmp_path)
    assert np.array_equal(some, _expected(images[[4, 1, 2]]))
    assert some.dtype == np.float32
    rows = encode_cached(encoder, images, tmp_path, lambda *step: steps.append(step))
    assert np.array_equal(rows, _expected(images))
    assert encoder.counts == [2, 1, 2, 1]
    assert steps == [(4, 6), (5, 6), (6, 6)]


@pytest.mark.usefixtures("two_a_shard")
def test_rows_are_in_the_order_of_the_images(images: np.ndarray, tmp_path: Path) -> None:
    encode_cached(PixelEncoder(), images, tmp_path)
    encoder, steps, order = PixelEncoder(), [], [5, 0, 3, 3, 1]
    rows = encode_cached(encoder, images[order], tmp_path, lambda *step: steps.append(step))
    assert np.array_equal(rows, _expected(images[order]))
    assert encoder.counts == []
    assert steps == [(5, 5)]


def test_a_changed_pixel_or_size_is_never_stale(images: np.ndarray, tmp_path: Path) -> None:
    encode_cached(PixelEncoder(), images, tmp_path)
    changed = images.copy()
    changed[2, 5, 5, 0] ^= 255
    encoder = PixelEncoder()
    assert np.array_equal(encode_cached(encoder, changed, tmp_path), _expected(changed))
    assert encoder.counts == [1]
    encode_cached(encoder, images.reshape(6, 4, 16, 3), tmp_path)
    assert encoder.counts == [1, 6]
    encode_cached(encoder, images.view(np.int8), tmp_path)
    assert encoder.counts == [1, 6, 6]


def test_a_changed_encoder_is_never_stale(images: np.ndarray, tmp_path: Path) -> None:
    encode_cached(PixelEncoder(), images, tmp_path)
    rows = encode_cached(PixelEncoder(power=2), images, tmp_path)
    assert np.array_equal(rows, _expected(images, power=2))
    assert np.array_equal(encode_cached(PixelEncoder(), images, tmp_path), _expected(images))


def test_equal_images_are_computed_once(images: np.ndarray, tmp_path: Path) -> None:
    encoder = PixelEncoder()
    rows = encode_cached(encoder, images[[1, 0, 1, 1]], tmp_path)
    assert np.array_equal(rows, _expected(images[[1, 0, 1, 1]]))
    assert encoder.counts == [2]


@pytest.mark.usefixtures("two_a_shard")
def test_a_killed_call_goes_on_where_it_was(images: np.ndarray, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        encode_cached(PixelEncoder(failing_call=2), images, tmp_path)
    encoder = PixelEncoder()
    assert np.array_equal(encode_cached(encoder, images, tmp_path), _expected(images))
    assert np.array_equal(np.concatenate(encoder.calls), images[2:])


@pytest.mark.parametrize(
    ("seconds", "first", "counts"),
    [(np.inf, 1, [1, 2, 3]), (0.0, 4, [4, 2]), (0.0, 2, [2, 1, 1, 1, 1])],
)
def test_a_slow_encoder_s_work_is_written_more_often(
    images: np.ndarray,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    seconds: float,
    first: int,
    counts: list[int],
) -> None:
    monkeypatch.setattr(cache, "SECONDS_A_SHARD", seconds)
    monkeypatch.setattr(cache, "CELLS_FIRST", first)
    encoder = PixelEncoder()
    assert np.array_equal(encode_cached(encoder, images, tmp_path), _expected(images))
    assert encoder.counts == counts


@pytest.mark.usefixtures("two_a_shard")
def test_mapped_images_go_through_in_parts(images: np.ndarray, tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", images)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    encoder = PixelEncoder()
    rows = encode_cached(encoder, mapped, tmp_path / "cache")
    assert np.array_equal(rows, _expected(images))
    assert encoder.counts == [2, 2, 2]
    part = encode_cached(encoder, mapped[1:4], tmp_path / "cache")
    assert np.array_equal(part, rows[1:4])


@pytest.mark.usefixtures("two_a_shard")
def test_unsaved_changes_of_mapped_images_are_kept(images: np.ndarray, tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", images)
    changed = np.load(tmp_path / "images.npy", mmap_mode="c")
    changed[3] ^= 255
    expected = _expected(np.array(changed))
    assert np.array_equal(encode_cached(PixelEncoder(), changed, tmp_path / "cache"), expected)
    assert not np.array_equal(changed[3], images[3])


@pytest.mark.usefixtures("two_a_shard")
@pytest.mark.parametrize("kept", [0, 7, 100, -1], ids=lambda kept: f"kept {kept}")
def test_a_cut_shard_is_computed_again(images: np.ndarray, tmp_path: Path, kept: int) -> None:
    encode_cached(PixelEncoder(), images, tmp_path)
    cut = _files(tmp_path)[1]
    cut.write_bytes(cut.read_bytes()[:kept])
    encoder = PixelEncoder()
    with pytest.warns(DamagedShardWarning, match=rf"{cut.name}: damaged .* delete it") as caught:
        rows = encode_cached(encoder, images, tmp_path)
    assert [Path(warning.filename).name for warning in caught] == [Path(__file__).name]
    assert np.array_equal(rows, _expected(images))
    assert encoder.counts == [2]
    assert np.array_equal(encode_cached(encoder, images, tmp_path), rows), "warns no more"


@pytest.mark.parametrize("place", [1000, -1], ids=["embedding", "digest"])
def test_a_changed_bit_is_never_returned(images: np.ndarray, tmp_path: Path, place: int) -> None:
    encode_cached(PixelEncoder(), images, tmp_path)
    (shard,) = _files(tmp_path)
    content = bytearray(shard.read_bytes())
    content[place] ^= 1
    shard.write_bytes(content)
    with pytest.warns(DamagedShardWarning, match="SHA-256"):
        rows = encode_cached(PixelEncoder(), images, tmp_path)
    assert np.array_equal(rows, _expected(images))


@pytest.mark.usefixtures("two_a_shard")
def test_files_that_are_being_written_are_not_read(images: np.ndarray, tmp_path: Path) -> None:
    encode_cached(PixelEncoder(), images, tmp_path)
    shard = _files(tmp_path)[0]
    shard.with_name(f".{shard.stem}.0.part.safetensors").write_bytes(b"half")
    assert np.array_equal(encode_cached(PixelEncoder(), images, tmp_path), _expected(images))


@pytest.mark.usefixtures("two_a_shard")
def test_threads_share_a_folder(tmp_path: Path) -> None:
    images = np.random.default_rng(1).integers(0, 256, (60, 8, 8, 3), dtype=np.uint8)
    rng = np.random.default_rng(2)
    orders = [rng.choice(60, 40, replace=False) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        found = list(
            pool.map(lambda order: encode_cached(PixelEncoder(), images[order], tmp_path), orders)
        )
    for order, rows in zip(orders, found, strict=True):
        assert np.array_equal(rows, _expected(images[order]))
    encoder = PixelEncoder()
    seen = np.unique(np.concatenate(orders))
    assert np.array_equal(encode_cached(encoder, images[seen], tmp_path), _expected(images[seen]))
    assert encoder.counts == []


WRITER = f"""
from __future__ import annotations
import sys
from pathlib import Path
import numpy as np
from buffycoat.embed import cache
{inspect.getsource(PixelEncoder)}
cache.CELLS_A_SHARD = 2
folder, start = Path(sys.argv[1]), int(sys.argv[2])
images = np.load(folder / "images.npy", mmap_mode="r")[start : start + 400]
print("ready", flush=True)
input()
np.save(folder / f"{{start}}.npy", cache.encode_cached(PixelEncoder(), images, folder / "cache"))
"""


def test_processes_share_a_folder(tmp_path: Path) -> None:
    images = np.random.default_rng(1).integers(0, 256, (600, 8, 8, 3), dtype=np.uint8)
    np.save(tmp_path / "images.npy", images)
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), str(start)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for start in (0, 200)
    ]  # fmt: skip
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate(timeout=120)
        assert writer.returncode == 0
    expected, encoder = _expected(images), PixelEncoder()
    assert np.array_equal(np.load(tmp_path / "0.npy"), expected[:400])
    assert np.array_equal(np.load(tmp_path / "200.npy"), expected[200:])
    assert np.array_equal(encode_cached(encoder, images, tmp_path / "cache"), expected)
    assert encoder.counts == []


def test_no_images_leave_no_file(tmp_path: Path) -> None:
    none = np.zeros((0, 32, 32, 3), np.uint8)
    encoder = BackboneEncoder("test_resnet", "random", 32, 1.0)
    assert encode_cached(encoder, none, tmp_path).shape == (0, encoder.width)
    assert _files(tmp_path) == []


def test_a_folder_that_cannot_be_written_keeps_embeddings_in_memory(
    tmp_path: Path, images: np.ndarray, two_a_shard: None
) -> None:
    (tmp_path / "pixels1").write_text("a file in the way of the encoder's folder")
    encoder = PixelEncoder()
    with pytest.warns(UnkeptWarning, match="not kept"):
        found = encode_cached(encoder, images, tmp_path)
    assert np.array_equal(found, _expected(images))
    assert encoder.counts == [2, 2, 2]


def test_without_a_folder_all_is_computed(images: np.ndarray) -> None:
    progress: list[tuple[int, int]] = []
    found = encode_cached(PixelEncoder(), images, None, lambda *of: progress.append(of))
    assert np.array_equal(found, _expected(images))
    assert progress[-1] == (6, 6)
