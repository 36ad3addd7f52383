"""Label tables as people have them, through `evaluate`."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pyarrow
import pyarrow.parquet
import pytest
from typer.testing import CliRunner

from buffycoat.cli.main import app
from buffycoat.tables import write_csv

TRUTH = "SNE SNE LY LY MO EO BA".split()
PREDICTED = "SNE BNE LY LY MO EO BA".split()
NAMES = {
    **{"SNE": "neutrophil_segmented", "LY": "Lymphocyte", "MO": "monocytes"},
    **{"EO": "Eosinophil", "BA": "basophil"},
}


@pytest.fixture
def predictions(tmp_path: Path) -> Path:
    path = tmp_path / "predictions.csv"
    path.write_text(_table("ID,labels", PREDICTED))
    return path


def _table(header: str, labels: list[str], name: str = "{}.png") -> str:
    rows = [f"{name.format(n)},{label}" for n, label in enumerate(labels)]
    return "\n".join([header, *rows, ""])


def _evaluate(predictions: Path, labels: Path, *more: str) -> tuple[int, str, dict]:
    """Exit code, what was said on standard error in one line, and the figures."""
    out = predictions.parent / "metrics.json"
    out.unlink(missing_ok=True)
    arguments = ["evaluate", str(predictions), str(labels), "--out", str(out), *more]
    result = CliRunner().invoke(app, arguments)
    said = " ".join(result.stderr.split())
    assert "Traceback" not in result.output
    return result.exit_code, said, json.loads(out.read_text()) if out.exists() else {}


PLAIN = _table("ID,labels", TRUTH)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (PLAIN.replace(",", ";"), ""),
        (PLAIN.replace(",", "\t"), ""),
        (PLAIN.replace("ID", "image"), "IDs from column 'image'"),
        (_table("Filename,Class", TRUTH), "IDs from column 'Filename', labels from column 'Class'"),
        (_table("new_names,mark", TRUTH), "IDs from column 'new_names', labels from column 'mark'"),
        (_table("cell ID,cell type", TRUTH), "IDs from column 'cell ID', labels from column"),
        (PLAIN.replace(".png", ""), "IDs matched without their suffix: 7 of 7"),
        (_table("path,label", TRUTH, "data\\img/{}.png"), "IDs matched without their folders"),
        (_table("ID,labels", TRUTH, "00{}.PNG"), "IDs matched as numbers"),
        (_table("ID,labels", [t.lower() for t in TRUTH]), "labels read as: sne -> SNE (2), ly ->"),
        (
            _table("ID,labels", [NAMES[t] for t in TRUTH]),
            "neutrophil_segmented -> SNE (2), Lymphocyte -> LY (2), monocytes -> MO (1)",
        ),
    ],
)
def test_other_clothes_give_the_same_figures(predictions: Path, text: str, said: str) -> None:
    labels = predictions.with_name("labels.csv")
    labels.write_text(PLAIN)
    _, _, expected = _evaluate(predictions, labels)
    labels.write_text(text)
    code, told, found = _evaluate(predictions, labels)
    assert code == 0, told
    assert found == expected
    assert said in told


def test_utf16_one_hot_and_columns_that_agree(predictions: Path) -> None:
    labels = predictions.with_name("labels.csv")
    labels.write_text(PLAIN)
    _, _, expected = _evaluate(predictions, labels)
    labels.write_text(PLAIN, encoding="utf-16")
    assert _evaluate(predictions, labels)[2] == expected
    frame = pd.DataFrame({"image": [f"{n}.png" for n in range(7)]})
    for code, name in NAMES.items():
        frame[name] = [int(t == code) for t in TRUTH]
    frame.to_csv(labels, index=False)
    code, told, found = _evaluate(predictions, labels)
    assert (code, found) == (0, expected), told
    assert "labels from one column a class" in told
    number = [sorted(NAMES).index(t) for t in TRUTH]
    pd.DataFrame({"image": frame["image"], "y": number, "class": TRUTH}).to_csv(labels)
    assert _evaluate(predictions, labels)[2] == expected


def _hub(path: Path, labels: list[int] | list[str], names: list[str] | None) -> None:
    kind = pyarrow.struct({"bytes": pyarrow.binary(), "path": pyarrow.string()})
    images = [{"bytes": b"", "path": f"{n}.png"} for n in range(len(labels))]
    table = pyarrow.table({"image": pyarrow.array(images, kind), "label": labels})
    if names is not None:
        feature = {"names": names, "_type": "ClassLabel"}
        told = json.dumps({"info": {"features": {"label": feature}}})
        table = table.replace_schema_metadata({"huggingface": told})
    pyarrow.parquet.write_table(table, path)


def test_the_hub_s_parquet(predictions: Path) -> None:
    labels = predictions.with_name("test-00000-of-00001.parquet")
    codes = sorted(NAMES)
    numbers = [codes.index(t) for t in TRUTH]
    _hub(labels, numbers, [NAMES[code] for code in codes])
    code, told, found = _evaluate(predictions, labels)
    assert code == 0, told
    assert found["n"] == 7
    assert "Lymphocyte -> LY (2)" in told
    _hub(labels, TRUTH, None)
    assert _evaluate(predictions, labels)[2] == found
    _hub(labels, numbers, None)
    code, told, _ = _evaluate(predictions, labels)
    assert code == 2
    assert "are numbers" in told


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"PK\x03\x04....", "Excel workbook"),
        (b"a.png,SNE\nb.png,LY\n", "does not name the columns"),
        (PLAIN.replace("SNE", "Lymphocite").encode(), "did you mean 'lymphocyte'?"),
        (b"image,path,label\n0.png,0.png,SNE\n", "ID '1.png' has no label"),
        (b"ID,class,type\n0.png,SNE,LY\n", "columns 'class' and 'type' may both hold the labels"),
        (b"image,SNE,LY\n0.png,1,1\n", "line 2: is of SNE and LY"),
        (b"image,SNE,LY\n0.png,0.3,0.7\n", "column 'SNE' is '0.3', expected 1 or 0"),
        (b"ID,label,prob_SNE\n0.png,SNE,1\n", "holds predictions"),
        (b"ID,labels\nx.png,SNE\n", "none of its IDs is in the predictions; its first is 'x.png'"),
    ],
)
def test_what_cannot_be_read_for_sure_is_said(predictions: Path, text: bytes, said: str) -> None:
    labels = predictions.with_name("labels.csv")
    labels.write_bytes(text)
    code, told, _ = _evaluate(predictions, labels)
    assert code == 2
    assert said in told


def test_a_person_may_name_the_columns(predictions: Path) -> None:
    labels = predictions.with_name("labels.csv")
    lines = PLAIN.splitlines()
    header, rows = "where,class,type", [f"{line},{line.split(',')[1]}x" for line in lines[1:]]
    labels.write_text("\n".join([header, *rows]))
    chosen = ("--id-column", "where", "--label-column", "class")
    assert _evaluate(predictions, labels, *chosen)[0] == 0
    code, told, _ = _evaluate(predictions, labels, "--id-column", "gone")
    assert code == 2
    assert "column 'gone' is missing" in told


def test_names_that_two_cells_share_are_no_join(predictions: Path) -> None:
    predictions.write_text("ID,labels\na/1.png,SNE\nb/1.png,LY\nc/2.png,LY\n")
    labels = predictions.with_name("labels.csv")
    labels.write_text("ID,labels\n1.png,SNE\n2.png,LY\n")
    code, told, _ = _evaluate(predictions, labels)
    assert code == 2
    assert "ID '1.png' may be 'a/1.png' or 'b/1.png'" in told


def test_severity_and_patients_are_read_in_any_clothes(predictions: Path) -> None:
    labels, beside = (predictions.with_name(name) for name in ("labels.csv", "beside.csv"))
    labels.write_text(PLAIN)
    rows = [f"x/{n};{n % 5},0;p{n}" for n in range(7)]
    beside.write_text("\n".join(["image;severity;patient_id", *rows]), encoding="utf-16")
    more = ("--severity", str(beside), "--patients", str(beside))
    code, told, found = _evaluate(predictions, labels, *more)
    assert code == 0, told
    assert found["n_patients"] == 7
    assert [row["severity"] for row in found["by_severity"]][:5] == [0, 1, 2, 3, 4]
    beside.write_text("ID,patient_id\n" + "".join(f"{n}.png,nan\n" for n in range(7)))
    code, told, _ = _evaluate(predictions, labels, "--patients", str(beside))
    assert code == 2
    assert "7 of 7 cells have no patient_id" in told


def test_probabilities_in_csv_give_the_figures_of_parquet(predictions: Path) -> None:
    labels = predictions.with_name("labels.csv")
    labels.write_text(PLAIN)
    codes = ["SNE", "LY", "MO", "EO", "BNE", "MY", "BA", "MMY", "ERB", "PMY"]
    frame = pd.DataFrame({"cell_id": [f"{n}.png" for n in range(7)], "label": PREDICTED})
    frame[[f"prob_{code}" for code in codes]] = 1 / 30
    for row, code in enumerate(PREDICTED):
        frame.loc[row, f"prob_{code}"] = 0.7
    everything = predictions.with_name("all.parquet")
    frame.to_parquet(everything)
    write_csv(predictions, frame)
    code, told, found = _evaluate(predictions, labels)
    assert code == 0, told
    assert found["calibration"]["ece"] > 0
    assert found == _evaluate(everything, labels)[2]
    write_csv(predictions, frame.astype({"prob_LY": object}).assign(prob_LY="high"))
    code, told, _ = _evaluate(predictions, labels)
    assert code == 2
    assert "line 2: prob_LY 'high', expected 0 to 1" in told
