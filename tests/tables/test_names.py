from __future__ import annotations

import pytest

from buffycoat.tables import join_names


@pytest.mark.parametrize(
    ("given", "known", "how"),
    [
        (["a.png", "b.png"], ["b.png", "a.png"], ""),
        ([" a.png"], ["a.png"], "without outer spaces"),
        (["e\u0301.png"], ["\u00e9.png"], "without outer spaces"),  # an accent apart, as on macOS
        (["a", "b"], ["a.png", "b.JPG"], "without their suffix"),
        (["x/a.png"], ["a.png"], "without their folders"),
        (["x\\a"], ["y/a.png"], "without folders and suffix"),
        (["A.PNG"], ["a.png"], "without folders, suffix and case"),
        (["7"], ["0007.png"], "as numbers, without suffix and leading zeros"),
    ],
)
def test_the_strictest_way_that_finds_most_is_taken(
    given: list[str], known: list[str], how: str
) -> None:
    joined = join_names(given, known)
    assert len(joined.known) == len(given)
    assert joined.how.split(",")[0] == how.split(",")[0]


def test_exact_names_come_before_like_ones() -> None:
    joined = join_names(["a.png", " a.png"], ["a.png", " a.png"])
    assert joined.known == {"a.png": "a.png", " a.png": " a.png"}


def test_only_image_suffixes_are_left_out() -> None:
    assert not join_names(["cell.1"], ["cell.2"]).known


def test_a_name_that_two_share_finds_none() -> None:
    joined = join_names(["1.png", "2.png"], ["a/1.png", "b/1.png", "c/2.png"])
    assert joined.known == {"2.png": "c/2.png"}
    assert joined.doubtful == {"1.png": ["a/1.png", "b/1.png"]}
    assert join_names(["x/1.png", "y/1.png"], ["1.png"]).known == {}
