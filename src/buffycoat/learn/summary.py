"""What a run's bundle, model card and report say of it, in words."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any

import numpy as np

import buffycoat
from buffycoat.bundle.fitted import Fitted
from buffycoat.bundle.lineage import (
    is_non_commercial,
    learned_unlabelled,
    never_seen,
    notice,
    restricted,
    unlabelled_source,
    unseen_sentence,
)
from buffycoat.config import Config, to_hash
from buffycoat.embed.encoder import Encoder
from buffycoat.embed.panel import KINDS, LABELS
from buffycoat.evaluate.doubt import abstention_curve, coverage_rows
from buffycoat.learn import least_data, unlabelled_notes
from buffycoat.learn.fit_decision import Decision
from buffycoat.learn.fit_scores import OutOfFold
from buffycoat.learn.held_out import HeldOut
from buffycoat.learn.training_set import TrainingSet
from buffycoat.plurals import counted
from buffycoat.report.model_card import CardData, Source
from buffycoat.report.records import Doubt, StageNote
from buffycoat.report.wording import between, signed

NAMED_UNSEEN = (
    "It also learned from unlabelled cells that models had named; cells of a class that it does "
    "not know may have been learned as another class."
)
PACKAGES = ("torch", "torchvision", "timm", "numpy", "opencv-python-headless", "scikit-learn")


def provenance(
    data: TrainingSet,
    weights: Mapping[str, str],
    encoder: Encoder,
    config: Config,
    labels: Sequence[str] = (),
) -> dict[str, Any]:
    """Where everything came from.

    Args:
        data: The training cells.
        weights: `source` and `licence` of the classifier's initial weights.
        encoder: Of the second opinions.
        config: The settings.
        labels: How labels coarser than a class were read and used, in sentences.
    """
    unseen = never_seen(data.taxonomy, data.counts)
    return {
        "notice": notice(config.data.population, unseen),
        "never_seen": unseen,
        "data": config.data.model_dump(),
        "data_fingerprint": data.key,
        "read": data.cells.manifest.statement.counts(),
        "training_cells": len(data.labels),
        "labels": list(labels),
        "folds": list(data.folds.notes),
        "initial_weights": dict(weights),
        "encoder": {"source": encoder.source, "licence": encoder.licence},
        "versions": {"buffycoat": buffycoat.__version__, "python": platform.python_version()}
        | {name: metadata.version(name) for name in PACKAGES},
        "config_hash": to_hash(config),
    }


def stage_notes(fitted: Fitted, choice: Sequence[Mapping[str, Any]]) -> list[StageNote]:
    """What each stage did, or why it is off.

    Args:
        fitted: What training learned.
        choice: How it was decided what the classifier sees: `fit_scores.OutOfFold.choice`.
    """
    options = "; ".join(
        f"{row['use']} {row['balanced_macro_f1']:.3f}{_gain(row)}" for row in choice
    )
    stacked = {row["member"]: row for row in fitted.stack.table()}
    too_few = fitted.provenance.get("too_few", {})
    rules = fitted.rules.table()
    n_on = sum(bool(row["is_on"]) for row in rules)
    return [
        *_student_notes(fitted),
        StageNote(
            "restoration",
            "off" if fitted.use == "original" else "on",
            _off(too_few, "restoration")
            or f"balanced macro-F1 out of fold by what the classifier sees: {options}. "
            f"Chosen: {fitted.use}",
        ),
        *(_opinion_note(kind, stacked.get(kind), _off(too_few, kind)) for kind in KINDS),
        StageNote(
            "refinement",
            "off" if not n_on else "on" if n_on == len(rules) else "partly",
            "; ".join(f"{row['code']}: {row['reason']}" for row in rules) or "no rules",
        ),
        *_label_notes(fitted),
    ]


def _student_notes(fitted: Fitted) -> list[StageNote]:
    """What unlabelled cells brought; nothing where there were none."""
    record = fitted.provenance.get("unlabelled")
    if record is None:
        return []
    state = "on" if record["is_kept"] else "off"
    return [StageNote("unlabelled cells", state, " ".join(unlabelled_notes.sentences(record)))]


def _label_notes(fitted: Fitted) -> list[StageNote]:
    """Whether labels are the most probable class; nothing in bundles that did not ask."""
    if fitted.power_fit is None:
        return []
    state = "on" if fitted.power_fit.is_default else "off"
    return [StageNote("labels for macro-F1", state, fitted.power_fit.reason)]


def labels_in_words(fitted: Fitted) -> str:
    """What labels maximise, as the model card says it."""
    rule, fit = fitted.rule_at(None), fitted.power_fit
    if rule is not None and fit is not None:
        return f"maximise {rule.words} ({rule.origin}); {fit.reason}"
    if fit is None:
        return "the most probable class"
    return (
        f"the most probable class. `--optimise macro-f1` gives {fit.power:g} of the training class "
        f"mix back ({fit.reason})"
    )


def _asked(fitted: Fitted) -> str:
    kinds = fitted.without_idle_panels().panels
    return ", ".join(LABELS[kind] for kind in kinds) or "none is asked"


def _off(too_few: Mapping[str, str], stage: str) -> str:
    return f"off: {too_few[stage]}" if stage in too_few else ""


def _opinion_note(kind: str, row: Mapping[str, Any] | None, off: str) -> StageNote:
    if off:
        return StageNote(LABELS[kind], "off", off)
    if row is None:
        return StageNote(LABELS[kind], "off", "the settings leave it out of the stack")
    return StageNote(LABELS[kind], "on" if row["is_kept"] else "off", row["reason"])


def doubt(
    fitted: Fitted,
    data: TrainingSet,
    scores: OutOfFold,
    decision: Decision,
    scored: HeldOut | None,
) -> Doubt:
    """What label sets and abstention do, on eval with the bundle's limits, and out of fold.

    Out of fold, the limits of a fold's cells come from the other folds.
    """
    codes = fitted.taxonomy.codes
    coverage, abstention = {}, {}
    if scored is not None:
        sets = fitted.conformal.sets(scored.findings.set_probs)
        coverage["eval"] = coverage_rows(sets, scored.targets, codes, scored.patients)
        abstention["eval"] = _abstention(scored.probs, scored.labels, scored.targets)
    coverage["out of fold"] = coverage_rows(decision.sets, scores.targets, codes, data.groups)
    abstention["out of fold"] = _abstention(decision.probs, decision.labels, scores.targets)
    guarantees = dict(zip(codes, fitted.conformal.guarantees, strict=True))
    return Doubt(fitted.conformal.alpha, guarantees, coverage, abstention)


def _abstention(probs: np.ndarray, labels: np.ndarray, targets: np.ndarray) -> list[dict[str, Any]]:
    return abstention_curve(targets, labels, probs.max(axis=1), probs.shape[1])


def card(fitted: Fitted, evaluations: Mapping[str, Mapping[str, Any]]) -> CardData:
    """The model card of a bundle."""
    record = fitted.provenance
    data, initial, encoder = record["data"], record["initial_weights"], record["encoder"]
    config = fitted.config
    recipe = config.classify
    return CardData(
        name=f"buffycoat {config.preset}: {data['name']}",
        description=(
            f"Classifies single white blood cells from smear images: {len(fitted.taxonomy)} "
            f"classes, {counted(len(fitted.models), 'model')}, trained on "
            f"{record['training_cells']} labelled cells."
        ),
        classes={cell.code: cell.name for cell in fitted.taxonomy.classes},
        train_counts=fitted.label_counts,
        sources=[
            Source(
                data["name"],
                data["licence"],
                data["attribution"],
                data["changes"],
                is_non_commercial(data["licence"]),
            ),
            *_archive(record),
            Source(
                f"initial weights of the classifier ({initial['source']})",
                initial["licence"],
                "",
                "fine-tuned",
                is_non_commercial(initial["licence"]),
            ),
            Source(
                f"encoder ({encoder['source']})",
                encoder["licence"],
                "",
                "",
                is_non_commercial(encoder["licence"]),
            ),
        ],
        training={
            "classifier": f"{recipe.backbone}, {recipe.input_px} px, {recipe.loss}, "
            f"{counted(recipe.epochs, 'epoch')}, {counted(recipe.folds, 'fold')}",
            "what it sees": fitted.use,
            "restorer": config.restore.method,
            "second opinions": f"{config.embed.encoder}: {_asked(fitted)}",
            "labels": labels_in_words(fitted),
            **{note.stage: note.note for note in _student_notes(fitted)},
        },
        evaluations=evaluations,
        limits=[*limits(record), _abroad(fitted)],
        provenance={
            "config hash": record["config_hash"],
            "data fingerprint": record["data_fingerprint"],
            **fingerprint(record),
            **record["versions"],
        },
    )


def _archive(record: Mapping[str, Any]) -> list[Source]:
    """The unlabelled cells, if the weights learned from them."""
    if not learned_unlabelled(record):
        return []
    named = unlabelled_source(record)
    return [
        Source(
            f"unlabelled cells ({named['name']})",
            named["licence"],
            named["attribution"],
            "labels, if any, not read",
            is_non_commercial(named["licence"]),
        )
    ]


def fingerprint(record: Mapping[str, Any]) -> dict[str, str]:
    """Of the unlabelled cells, if the weights learned from them; else nothing.

    Args:
        record: From `provenance`.
    """
    if not learned_unlabelled(record):
        return {}
    return {"fingerprint of unlabelled cells": record["unlabelled"].get("fingerprint", "unknown")}


def limits(record: Mapping[str, Any]) -> list[str]:
    """What a model must not be used for or has not seen, one sentence each.

    Args:
        record: From `provenance`.
    """
    coarse = [_sentence(note) for note in record.get("labels", ())]
    unseen = [unseen_sentence(record["never_seen"])] if record["never_seen"] else []
    population = record["data"].get("population", "")
    sentences = [*unseen, population] if population else unseen
    if learned_unlabelled(record):
        sentences = [*sentences, NAMED_UNSEEN]
    notes = [*record["folds"], *least_data.sentences(record.get("too_few", {}))]
    return [*sentences, *coarse, *map(_sentence, notes), *restricted(record)]


def _abroad(fitted: Fitted) -> str:
    """What may be expected of another laboratory's cells."""
    if fitted.abroad is None:
        return (
            "Cells of another laboratory: no limits could be fitted for them, so where they look "
            "different each one needs a look."
        )
    return f"Cells of another laboratory have limits of their own. {fitted.abroad.words()}"


def _sentence(note: str) -> str:
    return note[:1].upper() + note[1:].rstrip(".") + "."


def _gain(row: Mapping[str, Any]) -> str:
    """What a view of the cells gains over the first one, which has no gain."""
    if row["low"] is None:
        return ""
    return f" (gain {signed(row['gain'], 4)}, {between(row['low'], row['high'], 4, signed)})"
