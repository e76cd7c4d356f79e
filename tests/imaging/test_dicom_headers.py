"""The fast look at a header says what a full parser says, or leaves it to the parser."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from datamint_like.imaging import Group, assemble, probe
from datamint_like.imaging.dicom import header as header_module
from datamint_like.imaging.dicom.elements import Elements
from datamint_like.imaging.dicom.header import read_header
from datamint_like.imaging.dicom.scan import scan, scan_file
from datamint_like.imaging.types import SourceFile

from .dicom_files import write_slice, write_stack

KEYWORDS = (
    "ImageType",
    "SOPClassUID",
    "SOPInstanceUID",
    "Modality",
    "Manufacturer",
    "PatientName",
    "PatientID",
    "PatientSex",
    "KVP",
    "EchoTime",
    "AcquisitionTime",
    "ContentDate",
    "SliceThickness",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "InstanceNumber",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "Rows",
    "Columns",
    "PixelSpacing",
    "BitsAllocated",
    "PixelPaddingValue",
    "WindowCenter",
    "WindowWidth",
    "RescaleSlope",
    "RescaleIntercept",
    "RescaleType",
    "DiffusionBValue",
    "NumberOfFrames",
)


def parsed(path: Path) -> pydicom.FileDataset:
    return pydicom.dcmread(path, stop_before_pixels=True, force=True)


def all_dicom(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and path.read_bytes()[128:132] == b"DICM"]


def check(path: Path) -> bool:
    """Whether the fast look takes the file; what it finds is what pydicom finds."""
    found = scan(path.read_bytes())
    if found is None:
        return False
    truth = parsed(path)
    assert found.syntax == truth.file_meta.TransferSyntaxUID
    assert set(found.elements) == {int(tag) for tag in truth.keys()}  # noqa: SIM118 -- iterating a data set converts it
    for tag, element in truth.items():
        vr, encoded = found.elements[int(tag)]
        if isinstance(element, pydicom.dataelem.RawDataElement):
            assert (vr, encoded) == (element.VR, element.value or b"")
        else:
            assert vr == "SQ" or vr is None or element.keyword == "SpecificCharacterSet"
    with path.open("rb") as file:
        pydicom.dcmread(file, stop_before_pixels=True, force=True)
        assert found.pixels_at - file.tell() == (8 if found.syntax == ImplicitVRLittleEndian else 12)
    return True


def plain(value: object) -> object:
    if isinstance(value, (MultiValue, list)):
        return [plain(each) for each in value]
    if value is None or value == "":
        return None
    return value if isinstance(value, (int, float)) else str(value).strip()


def test_every_real_file_has_the_elements_that_pydicom_finds(real_data: Path):
    taken = [check(path) for path in all_dicom(real_data)]
    assert sum(taken) > 0.8 * len(taken) > 100


def test_the_shipped_files_are_all_taken(demo_images: Path):
    assert all(check(path) for path in all_dicom(demo_images))


def test_values_are_those_of_pydicom(demo_images: Path, real_data: Path):
    for path in [*all_dicom(demo_images)[::5], *all_dicom(real_data)[::3]]:
        truth, raw = parsed(path), parsed(path)
        elements = Elements.of(raw)
        for keyword in KEYWORDS:
            assert plain(elements.get(keyword)) == plain(truth.get(keyword)), (path.name, keyword)
            assert (keyword in elements) == (keyword in truth)


@pytest.mark.parametrize("implicit", [False, True])
@pytest.mark.parametrize("undefined", [False, True])
def test_sequences_are_stepped_over_whatever_their_lengths(implicit: bool, undefined: bool, tmp_path: Path):
    dataset = pydicom.dcmread(write_slice(tmp_path / "a.dcm", np.zeros((4, 5), np.int16)))
    inner, item = pydicom.Dataset(), pydicom.Dataset()
    inner.CodeValue, inner.LongCodeValue = "x", "y" * 40
    item.ConceptNameCodeSequence = Sequence([inner, inner])
    item.is_undefined_length_sequence_item = undefined
    inner.is_undefined_length_sequence_item = undefined
    item["ConceptNameCodeSequence"].is_undefined_length = undefined
    dataset.RequestAttributesSequence = Sequence([item, item])
    dataset["RequestAttributesSequence"].is_undefined_length = undefined
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
    dataset.save_as(tmp_path / "b.dcm", implicit_vr=implicit, little_endian=True)
    assert check(tmp_path / "b.dcm")
    assert probe([tmp_path / "b.dcm"]).shape == (1, 4, 5)


@pytest.mark.parametrize("name", ["emri_small_big_endian.dcm", "image_dfl.dcm"])
def test_big_endian_and_deflated_files_are_left_to_the_parser(name: str, real_data: Path):
    path = real_data / "compressed" / name
    assert scan(path.read_bytes()) is None
    truth, facts = parsed(path), probe([path])
    assert facts.shape[1:] == (truth.Rows, truth.Columns)
    assert facts.modality == truth.Modality


def test_names_in_other_character_sets_keep_their_letters(tmp_path: Path):
    path = write_slice(
        tmp_path / "a.dcm", np.zeros((4, 5), np.int16), SpecificCharacterSet="ISO_IR 192", PatientID="Łódź-7"
    )
    assert probe([path]).patient_id == "Łódź-7"
    japanese = write_slice(
        tmp_path / "b.dcm",
        np.zeros((4, 5), np.int16),
        SpecificCharacterSet=["", "ISO 2022 IR 87"],
        PatientID="山田",
    )
    assert probe([japanese]).patient_id == "山田"


def check_items(elements: Elements, dataset: pydicom.Dataset) -> int:
    """How many items, at any depth, the two readers agree about."""
    count = 0
    for element in dataset:
        if element.VR != "SQ" or not element.keyword:
            continue
        items = elements.items(element.keyword)
        assert len(items) == len(element.value)
        for ours, theirs in zip(items, element.value, strict=True):
            for inner in theirs:
                if inner.keyword and inner.VR in ("DS", "IS", "CS", "UI", "US", "UL", "FD", "FL", "DT"):
                    assert plain(ours.get(inner.keyword)) == plain(inner.value), inner.keyword
            count += 1 + check_items(ours, theirs)
    return count


def test_items_of_sequences_are_those_of_pydicom(real_data: Path):
    total = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom says what is malformed
        for path in all_dicom(real_data):
            truth = parsed(path)
            found = scan(path.read_bytes())
            if found is not None:
                total += check_items(Elements(found.elements, lambda path=path: parsed(path)), truth)
            total += check_items(Elements.of(parsed(path)), truth)
    assert total > 5000


@settings(deadline=None, max_examples=300)
@given(st.integers(0, 2**31), st.integers(1, 20), st.integers(200, 6000))
def test_damaged_bytes_never_lead_the_fast_look_astray(seed: int, count: int, size: int):
    data = bytearray(WHOLE[:size])
    chance = np.random.default_rng(seed)
    for at in chance.integers(132, size, count):
        data[at] = chance.integers(256)
    found = scan(bytes(data))
    assert found is None or 132 < found.pixels_at <= size + 12


WHOLE = next((Path(__file__).parents[2] / "datamint_like/demo/images/ct_philips").iterdir()).read_bytes()


def test_a_long_header_is_looked_at_as_far_as_it_goes(tmp_path: Path):
    path = write_slice(tmp_path / "a.dcm", np.zeros((300, 300), np.int16))
    with path.open("rb") as file:
        head, found = scan_file(file)
    assert found is not None
    assert len(head) == 1 << 16  # of 180 kB
    dataset = pydicom.dcmread(path)
    dataset.add_new(0x00091001, "UN", b"x" * 300_000)
    dataset.save_as(path)
    with path.open("rb") as file:
        head, found = scan_file(file)
    assert found is not None
    assert found.pixels_at > 300_000
    assert probe([path]).shape == (1, 300, 300)
    path.write_bytes(path.read_bytes()[:200_000])
    with path.open("rb") as file:
        assert scan_file(file)[1] is None


def test_a_deep_sequence_ends_no_process(tmp_path: Path):
    nest = b"\x08\x00\x15\x11SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
    start = WHOLE.index(b"\x08\x00\x05\x00")
    (tmp_path / "deep.dcm").write_bytes(WHOLE[:start] + nest * 3000 + WHOLE[start:])
    (skip,) = assemble([tmp_path / "deep.dcm"]).skipped
    assert skip.reason.startswith("deep.dcm: ")


def test_a_series_is_assembled_with_each_header_read_once(
    regular_ct: Group, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    paths = [*write_stack(tmp_path / "a", [(0, 0, 2.5 * n) for n in range(6)]), *regular_ct.paths]
    alone = write_slice(tmp_path / "one.dcm", np.zeros((4, 5), np.int16), ImagePositionPatient=None)
    reads: list[str] = []

    def counted(source: SourceFile, **options: bool) -> object:
        reads.append(source.name)
        return read_header(source, **options)

    monkeypatch.setattr("datamint_like.imaging.assembly.read_header", counted)
    assert len(assemble([*paths, alone]).groups) == 3
    assert len(reads) == len(paths) + 1 + 2  # and the first of each series once more
    assert reads.count("one.dcm") == 1
    assert header_module.read_header is read_header
