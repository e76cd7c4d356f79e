"""A damaged length makes an element swallow those behind it: the patient's name and ID come out nowhere for that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from datamint_like.exceptions import DatamintException
from datamint_like.imaging import Group, ReadOptions, assemble, decode_segments, read, read_references
from datamint_like.imaging.dicom.texts import UNREADABLE, told, valid_text

from .dicom_files import write_slice
from .mask_files import write_rtstruct, write_seg

NAME, ID = "Zqxsurname^Wvk", "QXZ90417"
SYNTAXES = [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian]
_LONG = (b"OB", b"OW", b"SQ", b"UN", b"UT")


def patient_file(path: Path, syntax: UID) -> bytes:
    """A file that says much about itself before and behind its patient."""
    write_slice(
        path,
        np.arange(12, dtype=np.uint16).reshape(3, 4),
        PatientName=NAME,
        PatientID=ID,
        OtherPatientIDs=ID,
        Manufacturer="Acme",
        ManufacturerModelName="One",
        InstitutionName="Somewhere",
        StudyDescription="CHEST",
        SeriesDescription="AXIAL",
        OperatorsName="Reader^A",
        ImageType=["ORIGINAL", "PRIMARY", "AXIAL"],
        BodyPartExamined="CHEST",
        PatientPosition="HFS",
        SeriesNumber=3,
        KVP=120,
        FrameOfReferenceUID="1.2.3.4",
        WindowCenter=40,
        WindowWidth=400,
        VOILUTFunction="LINEAR",
        RescaleType="HU",
        RequestingPhysician=NAME,
        PatientComments=f"{NAME} {ID}",
    )
    dataset = pydicom.dcmread(path)
    if syntax == ExplicitVRBigEndian:
        dataset.PixelData = np.frombuffer(dataset.PixelData, "<u2").byteswap().tobytes()
    dataset.file_meta.TransferSyntaxUID = syntax
    pydicom.dcmwrite(
        path,
        dataset,
        enforce_file_format=True,
        implicit_vr=syntax.is_implicit_VR,
        little_endian=syntax.is_little_endian,
    )
    return path.read_bytes()


def lengths(data: bytes, syntax: UID) -> list[tuple[int, int, str]]:
    """Place, size and byte order of the length of every top-level element, walked without a reader of DICOM."""
    found, at = [], 132
    while at + 8 <= len(data):
        meta = data[at : at + 2] == b"\2\0"
        order = "little" if meta or syntax != ExplicitVRBigEndian else "big"
        if not meta and syntax == ImplicitVRLittleEndian:
            place, size = at + 4, 4
        elif data[at + 4 : at + 6] in _LONG:
            place, size = at + 8, 4
        else:
            place, size = at + 6, 2
        found.append((place, size, order))
        at = place + size + int.from_bytes(data[place : place + size], order)  # type: ignore[arg-type]
    return found


def damaged_lengths(data: bytes, syntax: UID) -> Iterator[bytes]:
    """The file with each bit of each length flipped, and with each element grown to end behind name or ID."""
    ends = [data.index(NAME.encode()) + len(NAME), data.index(ID.encode()) + len(ID)]
    for place, size, order in lengths(data, syntax):
        for bit in range(8 * size):
            other = bytearray(data)
            other[place + bit // 8] ^= 1 << bit % 8
            yield bytes(other)
        for end in ends:
            if end > place + size:
                grown = (end - place - size).to_bytes(size, order)  # type: ignore[arg-type]
                yield data[:place] + grown + data[place + size :]


def all_that_is_told(path: Path) -> str:
    """Every message and every fact but the patient's own ID."""
    assembly = assemble([path])
    words = [f"{skipped.reason} {skipped.series_uid}" for skipped in assembly.skipped]
    for group in assembly.groups:
        words += [repr(replace(group.facts, patient_id=None)), group.filename]
        for options in (ReadOptions(intensity="dicom-window"), ReadOptions(dtype="uint8")):
            try:
                read(group.paths, group.facts, options)
            except DatamintException as error:
                words.append(str(error))
    return " ".join(words)


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.name)
def test_no_damaged_length_tells_the_patient(syntax: UID, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    path = tmp_path / "a.dcm"
    data = patient_file(path, syntax)
    assert assemble([path]).groups[0].facts.patient_id == ID
    refused = 0
    for damaged in damaged_lengths(data, syntax):
        path.write_bytes(damaged)
        told_words = all_that_is_told(path)
        assert NAME not in told_words
        assert ID not in told_words
        assert "Zqxsurname" not in told_words
        refused += ": " in told_words
    assert refused > 50
    assert NAME not in caplog.text
    assert ID not in caplog.text


@pytest.mark.parametrize("syntax", SYNTAXES[:2], ids=lambda syntax: syntax.name)
def test_no_damaged_tag_makes_the_name_a_detail(syntax: UID, tmp_path: Path):
    path = tmp_path / "a.dcm"
    data = patient_file(path, syntax)
    at = data.index(NAME.encode()) - 8
    for bit in range(32):
        damaged = bytearray(data)
        damaged[at + bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        assert "Zqxsurname" not in all_that_is_told(path)


@pytest.mark.parametrize("kind", ["seg", "rtstruct"])
def test_no_damaged_length_of_a_mask_tells_the_patient(kind: str, regular_ct: Group, tmp_path: Path):
    path, group = tmp_path / "a.dcm", regular_ct
    if kind == "seg":
        masks = np.zeros((len(group.paths), *group.facts.shape[1:], 1), np.uint8)
        masks[3, 4:9, 5:20] = 1
        write_seg(path, list(group.paths), masks, ("Liver",))
    else:
        assert group.facts.affine is not None
        box = np.array([[4, 20, 30], [4, 20, 60], [4, 50, 60], [4, 50, 30]], dtype=float)
        write_rtstruct(path, {"Liver": [("CLOSED_PLANAR", group.facts.affine.points(box) * (-1, -1, 1))]}, group)
    dataset = pydicom.dcmread(path)
    dataset.PatientName, dataset.PatientID, dataset.OperatorsName = NAME, ID, "Reader^A"
    dataset.save_as(path)
    data = path.read_bytes()
    before = [place for place, *_ in lengths(data, ExplicitVRLittleEndian) if place < data.index(NAME.encode())]
    end = data.index(ID.encode()) + len(ID)
    for place in before:
        if data[place - 4 : place] == b"SQ\0\0":
            continue
        damaged = data[:place] + (end - place - 2).to_bytes(2, "little") + data[place + 2 :]
        path.write_bytes(damaged)
        words = ""
        try:
            words += repr(read_references(path))
            words += repr(
                [replace(s, array=None) for s in decode_segments(damaged, group.facts, name="a.dcm").segments]
            )
        except DatamintException as error:
            words += str(error)
        assert "Zqxsurname" not in words
        assert ID not in words


def test_a_swallowing_class_is_unreadable_in_the_message(tmp_path: Path):
    path = tmp_path / "leak.dcm"
    data = bytearray(patient_file(path, ExplicitVRLittleEndian))
    data[data.index(b"\x08\x00\x16\x00UI") + 7] ^= 1
    path.write_bytes(data)
    (skipped,) = assemble([path]).skipped
    assert skipped.reason == "leak.dcm: its SOP Class UID is unreadable, so it is damaged. Copy the file again."


@pytest.mark.parametrize(
    ("value", "vr", "expected"),
    [
        ("1.2.840", "UI", "1.2.840"),
        ("1.2.840 PN", "UI", None),
        ("1" * 65, "UI", None),
        ("LINEAR_EXACT", "CS", "LINEAR_EXACT"),
        ("Doe", "CS", None),
        ("A" * 17, "CS", None),
        (["ORIGINAL", "PRIMARY"], "CS", "ORIGINAL\\PRIMARY"),
        (["ORIGINAL", "PRIMARY\x10\x00PN", "Doe"], "CS", None),
        (" Acme \0", "LO", "Acme"),
        ("Acme\x08\x00PNDoe", "LO", None),
        ("日本", "LO", "日本"),
        ("one\r\ntwo", "LO", None),
        ("one\r\ntwo", "LT", "one\r\ntwo"),
        (b"Acme", "LO", None),
        (7, "LO", None),
        ("", "LO", None),
    ],
)
def test_a_text_is_what_its_vr_allows_or_nothing(value: object, vr: str, expected: str | None):
    assert valid_text(value, vr) == expected


def test_a_message_says_unreadable_in_place_of_a_value_that_is_none():
    assert told("LINEAR", "CS") == "LINEAR"
    assert told("1.2 PN", "UI") == UNREADABLE


def test_a_name_of_a_person_is_text():
    dataset = Dataset()
    dataset.OperatorsName = "Reader^A"
    assert valid_text(dataset.OperatorsName, "PN") == "Reader^A"
