from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score
from typer.testing import CliRunner

from buffycoat.cli.main import app
from buffycoat.taxonomy import PBC

CODES = PBC.codes


@pytest.fixture
def scored(tmp_path: Path) -> tuple[Path, Path, pd.DataFrame]:
    """Predictions and labels of 60 cells, a quarter of them wrong."""
    rng = np.random.default_rng(0)
    truth = np.repeat(CODES, 6)
    stated = np.where(rng.random(60) < 0.25, rng.choice(CODES, 60), truth)
    frame = pd.DataFrame({"ID": [f"{n}.jpg" for n in range(60)], "truth": truth, "stated": stated})
    labels, predictions = tmp_path / "labels.csv", tmp_path / "predictions.csv"
    frame.rename(columns={"truth": "labels"})[["ID", "labels"]].to_csv(labels, index=False)
    shuffled = frame.sample(frac=1, random_state=0).rename(columns={"stated": "labels"})
    shuffled[["ID", "labels"]].to_csv(predictions, index=False)
    return predictions, labels, frame


def _evaluate(*arguments: object):
    return CliRunner().invoke(app, ["evaluate", *map(str, arguments)])


def test_rows_are_joined_by_id_and_macro_f1_is_scikit_learn_s(scored, tmp_path: Path) -> None:
    predictions, labels, frame = scored
    out = tmp_path / "metrics.json"
    picture = tmp_path / "classes.svg"
    result = _evaluate(predictions, labels, "--out", out, "--picture", picture)
    assert result.exit_code == 0, result.output
    assert all(f" {code}</text>" in picture.read_text("utf-8") for code in CODES)
    expected = f1_score(frame["truth"], frame["stated"], average="macro")
    metrics = json.loads(out.read_text())
    assert metrics["macro_f1"]["estimate"] == pytest.approx(expected)
    assert f"{expected:.3f}" in result.stdout
    assert "erythroblast" in result.stdout
    assert "Maturation line PMY-MY-MMY-BNE-SNE" in " ".join(result.stdout.split())
    assert "calibration error" not in result.stdout  # labels alone say nothing of it


def test_severity_and_training_counts_add_their_figures(scored, tmp_path: Path) -> None:
    predictions, labels, frame = scored
    severity = tmp_path / "severity.csv"
    pd.DataFrame({"ID": frame["ID"], "severity": np.arange(60) % 5}).to_csv(severity, index=False)
    counts = tmp_path / "counts.json"
    counts.write_text(json.dumps({code: 10 * (n + 1) for n, code in enumerate(CODES)}))
    result = _evaluate(predictions, labels, "--severity", severity, "--train-counts", counts)
    assert result.exit_code == 0, result.output
    assert "prior weighted macro F1" in result.stdout
    rows = result.stdout[result.stdout.index("By severity") :].splitlines()
    assert [row.split()[1] for row in rows if row.startswith("│")] == list("01234")


def test_a_classifier_that_never_errs_has_intervals_that_end_at_one(scored, tmp_path) -> None:
    _, labels, _ = scored
    counts = tmp_path / "counts.json"
    counts.write_text(json.dumps({code: 4 ** (9 - n) for n, code in enumerate(CODES)}))
    perfect = tmp_path / "perfect.csv"
    perfect.write_bytes(labels.read_bytes())
    said = _evaluate(perfect, labels, "--train-counts", counts).stdout
    [row] = [row for row in said.splitlines() if "prior weighted macro F1" in row]
    assert "to 1.000" in row
    assert "1.000 to 1.000" not in said


def test_seven_of_seven_is_not_certain(tmp_path: Path) -> None:
    """It said "1.000 - 1.000"; exact limits of 7 of 7 begin at 0.590."""
    labels = tmp_path / "labels.csv"
    codes = "SNE SNE LY LY MO EO BA".split()
    labels.write_text("ID,labels\n" + "".join(f"{i}.png,{c}\n" for i, c in enumerate(codes)))
    predicted = tmp_path / "predicted.csv"
    predicted.write_bytes(labels.read_bytes())
    result = _evaluate(predicted, labels)
    assert result.exit_code == 0, result.output
    shown = {row.split("│")[1].strip(): row for row in result.stdout.splitlines() if "│" in row}
    assert "0.590 to 1.000" in shown["accuracy"]
    assert "1.000 to 1.000" not in result.stdout
    for name in ("macro F1", "balanced macro F1", "balanced accuracy", "macro precision"):
        low = float(shown[name].split("│")[3].split(" to ")[0])
        assert low < 0.75, name


def test_one_of_two_classes_right_is_not_certain(tmp_path: Path) -> None:
    """It said "0.500 (0.500 - 0.500)"."""
    labels, predicted = tmp_path / "labels.csv", tmp_path / "predicted.csv"
    for path, other in ((labels, "LY"), (predicted, "SNE")):
        rows = "".join(f"{i}.png,{other if i % 2 else 'SNE'}\n" for i in range(12))
        path.write_text("ID,labels\n" + rows)
    out = tmp_path / "metrics.json"
    assert _evaluate(predicted, labels, "--out", out).exit_code == 0
    of = json.loads(out.read_text())["balanced_accuracy"]
    assert of["low"] < 0.45 < of["estimate"] == 0.5 < 0.55 < of["high"]


def test_training_counts_may_be_the_training_labels_or_a_bundle(scored, tmp_path: Path) -> None:
    predictions, labels, frame = scored
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    counts = [int((frame["truth"] == code).sum()) for code in CODES]
    index = {"taxonomy": PBC.to_dict(), "counts": counts}
    (bundle / "bundle.json").write_text(json.dumps(index))
    found = []
    for source in (labels, bundle):
        out = tmp_path / f"{source.stem}-metrics.json"
        result = _evaluate(predictions, labels, "--train-counts", source, "--out", out)
        assert result.exit_code == 0, result.output
        found.append(json.loads(out.read_text())["prior_weighted_macro_f1"])
    assert found[0] == found[1] is not None


def test_probabilities_in_parquet_are_used_and_a_rescued_label_wins(scored, tmp_path: Path) -> None:
    _, labels, frame = scored
    probs = np.full((60, len(CODES)), 0.01)
    probs[np.arange(60), PBC.encode(list(frame["truth"]))] = 0.91
    table = pd.DataFrame({"cell_id": frame["ID"], "label": frame["stated"]})
    table[[f"prob_{code}" for code in CODES]] = probs
    parquet, out = tmp_path / "all.parquet", tmp_path / "metrics.json"
    table.to_parquet(parquet)
    result = _evaluate(parquet, labels, "--out", out)
    assert result.exit_code == 0, result.output
    metrics = json.loads(out.read_text())
    expected = f1_score(frame["truth"], frame["stated"], average="macro")
    assert metrics["macro_f1"]["estimate"] == pytest.approx(expected)
    assert metrics["calibration"]["ece"] == pytest.approx(0.09, abs=1e-6)
    assert "Expected calibration error 0.090; perfectly" in " ".join(result.stdout.split())


def test_patients_and_a_stated_mix_change_what_figures_rest_on(scored, tmp_path: Path) -> None:
    predictions, labels, frame = scored
    patients, out = tmp_path / "patients.csv", tmp_path / "metrics.json"
    pd.DataFrame({"ID": frame["ID"], "patient_id": np.arange(60) % 7}).to_csv(patients, index=False)
    mix = ",".join(f"{code}={9 if code == 'SNE' else 1}" for code in CODES)
    result = _evaluate(
        predictions, labels, "--patients", patients, "--prevalence", mix, "--out", out
    )
    assert result.exit_code == 0, result.output
    metrics = json.loads(out.read_text())
    assert (metrics["level"], metrics["n_patients"]) == ("patient-level", 7)
    rows = metrics["per_class"]
    assert rows[0]["prevalence"] == 0.5
    assert rows[0]["ppv_at_prevalence"] > rows[0]["precision"]
    pd.DataFrame({"ID": frame["ID"], "patient_id": "one"}).to_csv(patients, index=False)
    result = _evaluate(predictions, labels, "--patients", patients)
    assert result.exit_code == 2
    assert "cells of 1 patient," in " ".join(result.stderr.split())
    result = _evaluate(predictions, labels, "--prevalence", "SNE=1")
    assert result.exit_code == 2
    assert "LY is missing" in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ID,mark\na.jpg,good\n", "no column with the labels of the cells; it has ID, mark"),
        ("who,labels\na.jpg,SNE\n", "no column with the names of the cells; it has who, labels"),
        ("ID,labels\na.jpg,SNE\na.jpg,LY\n", "line 3: ID 'a.jpg' is used twice"),
        ("ID,labels\na.jpg,\nb.jpg,LY\n", "line 2: label of 'a.jpg' is empty"),
        ("ID,labels\n,SNE\n", "line 2: ID is empty"),
        ("ID,labels\n", "no rows"),
        ("", "no rows"),
        ("ID,labels\na.jpg,SNE\nb.jpg,QQ\n", "'QQ'"),
        ("ID,labels\na.jpg,SNE\n", "ID 'b.jpg' has no prediction"),
        ("ID,labels\na.jpg,SNE\nb.jpg,LY\nc.jpg,LY\n", "ID 'c.jpg' has no label"),
    ],
)
def test_faults_in_predictions_are_named(tmp_path: Path, text: str, message: str) -> None:
    predictions, labels = tmp_path / "predictions.csv", tmp_path / "labels.csv"
    predictions.write_text(text)
    labels.write_text("ID,labels\na.jpg,SNE\nb.jpg,LY\n")
    result = _evaluate(predictions, labels)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
    assert "Traceback" not in result.output


def test_faults_in_severity_are_named_with_their_line(scored, tmp_path: Path) -> None:
    predictions, labels, _ = scored
    severity = tmp_path / "severity.csv"
    severity.write_text("ID,severity\n0.jpg,5\n1.jpg,2\n2.jpg,bad\n1.jpg,3\n")
    result = _evaluate(predictions, labels, "--severity", severity)
    assert result.exit_code == 2
    assert "line 2: severity '5'" in result.stderr
    assert "line 4: severity 'bad'" in result.stderr
    assert "line 5: ID '1.jpg' is used twice" in result.stderr


def test_files_that_are_not_there_or_not_tables(scored, tmp_path: Path) -> None:
    predictions, labels, _ = scored
    assert "gone.csv" in _evaluate(tmp_path / "gone.csv", labels).stderr
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"not a table")
    result = _evaluate(broken, labels)
    assert result.exit_code == 2
    assert "not a readable Parquet table" in " ".join(result.stderr.split())
    result = _evaluate(predictions, labels, "--train-counts", tmp_path / "gone.json")
    assert result.exit_code == 2
    assert "expected a bundle" in " ".join(result.stderr.split())


def test_an_output_of_another_kind_is_refused_first(scored, tmp_path: Path) -> None:
    predictions, labels, _ = scored
    result = _evaluate(predictions, labels, "--out", tmp_path / "metrics.txt")
    assert result.exit_code == 2
    assert result.stdout == ""
