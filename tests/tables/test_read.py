"""Tables in the clothes that programs give them."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from buffycoat.errors import ManifestError
from buffycoat.tables import read_rows

PLAIN = "ID,labels\n1.png,SNE\n2.png,LY\n"
ROWS = [{"ID": "1.png", "labels": "SNE"}, {"ID": "2.png", "labels": "LY"}]


def _rows(tmp_path: Path, data: bytes | str) -> list[dict[str, str]]:
    path = tmp_path / "t.csv"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return [row for _, row in read_rows(path)]


def _fault(tmp_path: Path, data: bytes | str, name: str = "t.csv") -> str:
    path = tmp_path / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    with pytest.raises(ManifestError) as caught:
        read_rows(path)
    return str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        PLAIN.replace(",", ";"),
        PLAIN.replace(",", "\t"),
        PLAIN.replace(",", "|"),
        PLAIN.replace(",", "  "),
        PLAIN.replace(",", " , "),
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("\n", "\r"),
        "sep=;\n" + PLAIN.replace(",", ";"),
        '"sep=\t"\r\n' + PLAIN.replace(",", "\t"),
        '"ID", "labels"\n"1.png", "SNE"\n"2.png", "LY"\n',
        "\n\nID,labels,,\n,,,\n1.png,SNE,,\n  \n2.png,LY,,",
        '"ID" "labels"\n"1" "1.png" "SNE"\n"2" "2.png" "LY"\n',  # R's write.table
        ",ID,labels\n0,1.png,SNE\n1,2.png,LY\n",  # pandas with its index
        "ID,labels\n1.png,SNE\nID,labels\n2.png,LY\n",  # two tables joined
    ],
)
def test_delimiters_and_line_ends(tmp_path: Path, text: str) -> None:
    assert _rows(tmp_path, text) == ROWS


@pytest.mark.parametrize(
    "encoding", "utf-8 utf-8-sig utf-16 utf-16-le utf-16-be utf-32 cp1252".split()
)
def test_encodings(tmp_path: Path, encoding: str) -> None:
    text = PLAIN.replace("1.png", "Zellenübersicht Größe.png")
    found = _rows(tmp_path, text.encode(encoding))
    assert found == [{**ROWS[0], "ID": "Zellenübersicht Größe.png"}, ROWS[1]]


def test_an_encoding_that_was_guessed_is_said(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(PLAIN.replace("1.png", "é.png").encode("cp1252"))
    (note,) = read_rows(path).notes
    assert "cp1252" in note
    assert "line 2" in note
    path.write_text(PLAIN, encoding="utf-16")
    assert read_rows(path).notes == ()


def test_one_column_with_spaces_in_names_stays_one(tmp_path: Path) -> None:
    assert _rows(tmp_path, "path\nmy cell.png\nmy dog.png\n")[1] == {"path": "my dog.png"}


def test_decimal_commas_go_with_semicolons(tmp_path: Path) -> None:
    found = _rows(tmp_path, "ID;area;label\n1.png;3,5;SNE\n2.png;4,25;LY\n")
    assert found[1] == {"ID": "2.png", "area": "4,25", "label": "LY"}


def test_quoted_text_is_kept_and_other_text_loses_outer_spaces(tmp_path: Path) -> None:
    text = 'ID,labels\n" a.png", SNE\n b.png , LY\n"c\rd,\n""e"".png",MO\n'
    assert [row["ID"] for row in _rows(tmp_path, text)] == [" a.png", "b.png", 'c\rd,\n"e".png']


def test_numbers_are_the_lines_where_rows_begin(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('sep=,\nID,labels\n"a\nb.png",SNE\n\n2.png,LY\n')
    assert [number for number, _ in read_rows(path)] == [3, 6]


def _workbook(member: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr(member, "x")
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (_workbook("xl/workbook.xml"), ".xlsx"),
        (_workbook("content.xml"), "OpenDocument"),
        (_workbook("Index/Document.iwa"), "Numbers"),
        (_workbook("cells.csv"), "ZIP"),
        (b"PK\x03\x04....", "Excel"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", ".xls"),
        (b"\x1f\x8b\x08", "gunzip"),
        (b"<html><table>", "HTML"),
        (b'[{"ID": "1.png"}]', "JSON"),
        (b"ID,labels\n1.png,S\0NE\n", "line 2: holds a NUL"),
        (b'ID,labels\n"1.png,SNE\n2.png,LY\n', "not a readable CSV file"),
        (b"1.png,SNE\n2.png,LY\n", "does not name the columns"),
        (b"BAS/BAS_0001.tiff BAS nan nan\nBAS/BAS_0002.tiff BAS nan nan\n", "ID labels more"),
        (b"17,SNE\n18,SNE\n19,LY\n", "does not name the columns"),
        (b"17,Lymphocyte\n18,SNE\n", "does not name the columns"),
        (b"ID,labels\na,b.png,SNE\n", "line 2: 3 fields"),
        (b"ID,labels,ID\na.png,SNE,b.png\n", "'ID' is there twice"),
    ],
)
def test_what_is_no_table_is_named(tmp_path: Path, data: bytes, said: str) -> None:
    assert said in _fault(tmp_path, data)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.one_of(
        st.binary(max_size=60),
        st.text('ID,;\t|"\r\n a1\u00e9=\0', max_size=60).map(str.encode),
        st.text("ID,;\n\u00e9a", max_size=40).map(lambda text: text.encode("utf-16")),
    )
)
def test_any_bytes_are_a_table_or_a_named_fault(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(data)
    try:
        rows = read_rows(path)
    except ManifestError:
        return
    assert all({*row} == {*rows.header} for _, row in rows)


def test_a_missing_column_or_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(PLAIN)
    with pytest.raises(ManifestError, match=r"'path' is missing; it has ID, labels"):
        read_rows(tmp_path / "t.csv", ("path",))
    with pytest.raises(ManifestError, match="No such file"):
        read_rows(tmp_path / "none.csv")


def test_parquet_values_become_text_and_gaps_nothing(tmp_path: Path) -> None:
    table = pyarrow.table(
        {
            "patient_id": pyarrow.array([3.0, None, float("nan")]),
            "big": pyarrow.array([2**60 + 1, None, 1]),
            "name": pyarrow.array(["b", None, "b"]).dictionary_encode(),
            "is_old": [True, False, None],
            "day": pyarrow.array([0, None, 1], pyarrow.timestamp("ns")),
            "vector": [[1.0], [2.0], None],
            "picture": [b"x", b"y", None],
        }
    )
    path = tmp_path / "t.csv"  # named wrongly: the content decides
    pyarrow.parquet.write_table(table, path)
    rows = read_rows(path)
    assert rows.column("patient_id") == ["3", "", ""]
    assert rows.column("big") == [str(2**60 + 1), "", "1"]
    assert rows.column("name") == ["b", "", "b"]
    assert rows.column("is_old") == ["True", "False", ""]
    assert rows.column("day")[1] == ""
    assert rows.header == ("patient_id", "big", "name", "is_old", "day")
    assert rows.places[0] == "row 0"


def test_pictures_give_paths_and_class_numbers_names(tmp_path: Path) -> None:
    kind = pyarrow.struct({"bytes": pyarrow.binary(), "path": pyarrow.string()})
    feature = {"_type": "ClassLabel", "names": ["SNE", "LY"]}
    told = json.dumps({"info": {"features": {"label": feature}}})
    table = pyarrow.table(
        {
            "image": pyarrow.array([{"bytes": b"x", "path": f"{n}.png"} for n in range(3)], kind),
            "label": pyarrow.array([1, 0, -1]),
        }
    ).replace_schema_metadata({"huggingface": told})
    path = tmp_path / "t.parquet"
    pyarrow.parquet.write_table(table, path)
    rows = read_rows(path)
    assert rows.column("image") == ["0.png", "1.png", "2.png"]
    assert rows.column("label") == ["LY", "SNE", ""]
    pyarrow.parquet.write_table(table.set_column(1, "label", pyarrow.array([0, 1, 2])), path)
    with pytest.raises(ManifestError, match="row 2: label 2 is a number"):
        read_rows(path)
