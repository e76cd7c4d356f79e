"""The file names of several resources of one series: told apart by what differs, the same however the files lie."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from datamint_like import Api
from datamint_like.api.importing import ImportOptions, import_files
from datamint_like.imaging import assemble

from .dicom_files import write_stack

UP = [(0.0, 0.0, 2.5 * n) for n in range(3)]
AXIAL, CORONAL, SAGITTAL = [1, 0, 0, 0, 1, 0], [1, 0, 0, 0, 0, -1], [0, 1, 0, 0, 0, -1]


def of_each(*values: Any) -> list[Any]:
    """Each value for all planes of a stack, one after another."""
    return [value for value in values for _ in UP]


def types(*last: str) -> list[list[str]]:
    return of_each(*(["ORIGINAL", "PRIMARY", *word.split("/")] for word in last))


CASES: dict[str, tuple[int, dict[str, Any], list[str]]] = {
    "magnitude and phase": (2, {"ImageType": types("M", "P")}, ["M", "P"]),
    "the shortest word that tells": (2, {"ImageType": types("M_FFE/M/FFE", "PHASE MAP/P/FFE")}, ["M", "P"]),
    "words with spaces": (2, {"ImageType": types("IN PHASE", "OUT PHASE")}, ["IN_PHASE", "OUT_PHASE"]),
    "acquisitions": (2, {"AcquisitionNumber": of_each(1, 2)}, ["acquisition1", "acquisition2"]),
    "types, then acquisitions": (
        4,
        {"ImageType": types("M", "M", "P", "P"), "AcquisitionNumber": of_each(1, 2, 1, 2)},
        ["M_acquisition1", "M_acquisition2", "P_acquisition1", "P_acquisition2"],
    ),
    "planes": (3, {"ImageOrientationPatient": of_each(AXIAL, CORONAL, SAGITTAL)}, ["axial", "coronal", "sagittal"]),
    "planes that are alike": (
        2,
        {"ImageOrientationPatient": of_each(AXIAL, [0.9950042, 0, 0.0998334, 0, 1, 0])},
        ["1", "2"],
    ),
    "words that are no code strings": (2, {"ImageType": types("Doe^Jane", "../../x")}, ["1", "2"]),
}


def stack(folder: Path, case: str) -> tuple[list[Path], list[str]]:
    count, elements, suffixes = CASES[case]
    places = UP * count
    if case.startswith("planes"):
        across = {2: (0, 0, 1), 1: (0, 1, 0), 0: (1, 0, 0)}
        axes = [2, 1, 0] if count == 3 else [2, 2]
        places = [tuple(2.5 * n * x for x in across[axis]) for axis in axes for n in range(3)]
    paths = write_stack(folder, places, Modality="MR", SeriesNumber=7, **elements)
    return paths, [f"series_7_3files_{suffix}.dcm" for suffix in suffixes]


@pytest.mark.filterwarnings("ignore:Invalid value for VR CS")
@pytest.mark.parametrize("case", CASES)
def test_resources_of_one_series_are_told_apart_by_name(case: str, tmp_path: Path) -> None:
    paths, expected = stack(tmp_path / "a", case)
    assert [group.filename for group in assemble(paths).groups] == expected


@pytest.mark.parametrize("case", ["magnitude and phase", "planes that are alike"])
def test_a_name_does_not_depend_on_where_the_files_lie(case: str, tmp_path: Path) -> None:
    paths, expected = stack(tmp_path / "a", case)
    (tmp_path / "b").mkdir()
    places = [f"{n}.dcm" for n in range(len(paths))]
    random.Random(3).shuffle(places)
    moved = [Path(shutil.copy(path, tmp_path / "b" / place)) for path, place in zip(paths, places, strict=True)]
    names = {tuple(sorted(each.read_bytes() for each in g.paths)): g.filename for g in assemble(moved).groups}
    assert set(names.values()) == set(expected)
    assert names == {tuple(sorted(each.read_bytes() for each in g.paths)): g.filename for g in assemble(paths).groups}


def test_one_resource_of_a_series_and_others_of_other_series_keep_the_short_name(tmp_path: Path) -> None:
    one = write_stack(tmp_path / "a", UP, SeriesNumber=7, SeriesInstanceUID="1.2.1")
    other = write_stack(tmp_path / "b", UP, SeriesNumber=7, SeriesInstanceUID="1.2.2")
    assert [group.filename for group in assemble([*one, *other]).groups] == ["series_7_3files.dcm"] * 2


def test_a_second_import_finds_both_resources_there(tmp_path: Path) -> None:
    _, expected = stack(tmp_path / "a", "magnitude and phase")
    with Api((tmp_path / "store").as_uri()) as api:
        first = import_files(api, [tmp_path / "a"], "c", ImportOptions())
        assert [resource.filename for resource, _ in first.imported] == expected
        again = import_files(api, [tmp_path / "a"], "c", ImportOptions())
        assert (again.imported, [group.filename for group in again.already_there]) == ((), expected)
