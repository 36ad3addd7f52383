"""Pictures by the names that tables give them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from buffycoat.sources.parts import part_of


class ImageIndex:
    """Finds the picture that a table means, by its path, its name, or its name without suffix.

    Args:
        root: Folder of the data set.
        paths: Its pictures.
    """

    def __init__(self, root: Path, paths: Iterable[Path]) -> None:
        self.root = root
        self._found: dict[str, list[Path]] = {}
        paths = list(paths)
        self._folders = {
            folder.casefold() for path in paths for folder in path.relative_to(root).parts[:-1]
        }
        for path in paths:
            relative = path.relative_to(root).as_posix().casefold()
            names = {relative, relative.rpartition("/")[2]}
            for name in names | {_stem(name) for name in names}:
                self._found.setdefault(name, []).append(path)

    def find(self, value: str, table: Path) -> list[Path]:
        """Pictures that a table's value may mean: one if it is clear, none if it names none.

        Args:
            value: A path in any form, a file name, or one without its suffix.
            table: The table. Of several pictures of one name those in its own folder are meant,
                or in a folder of its name or part: `train.csv` means `train/001.png`.
        """
        parts = value.strip().replace("\\", "/").casefold().strip("/").split("/")
        parts = [part for part in parts if part != "."]
        folder = table.parent.relative_to(self.root).parts
        for start in range(len(parts)):  # the longest end of the path that names a picture
            name = "/".join(parts[start:])
            inside = "/".join((*(part.casefold() for part in folder), name))
            found = self._found.get(inside) or self._found.get(name, [])
            found = [path for path in found if not self._contradicts(parts[:start], path)]
            if found:
                return found if len(found) == 1 else self._near(found, table)
        return []

    def _contradicts(self, dropped: list[str], path: Path) -> bool:
        """Whether a value names a folder of this data set, or a split, that is not the path's."""
        own = {folder.casefold() for folder in path.relative_to(self.root).parts[:-1]}
        stated, lies_in = ({part_of(f) for f in folders} - {None} for folders in (dropped, own))
        is_elsewhere = any(folder in self._folders and folder not in own for folder in dropped)
        return is_elsewhere or bool(stated and lies_in and stated != lies_in)

    def _near(self, found: list[Path], table: Path) -> list[Path]:
        part = part_of(table.stem)
        for is_meant in (
            lambda path: path.parent == table.parent,
            lambda path: path.parent.name.casefold() == table.stem.casefold(),
            lambda path: part is not None and part in self._parts(path),
        ):
            chosen = [path for path in found if is_meant(path)]
            if len(chosen) == 1:
                return chosen
        return found

    def _parts(self, path: Path) -> set[str | None]:
        return {part_of(folder) for folder in path.relative_to(self.root).parts[:-1]}


def _stem(name: str) -> str:
    folder, slash, file = name.rpartition("/")
    return folder + slash + (file.rpartition(".")[0] or file)
