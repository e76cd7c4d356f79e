"""A DICOM file without identity: new preamble and meta header, cleaned data set, the same pixels byte for byte."""

from __future__ import annotations

from pathlib import Path
from typing import IO

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from datamint_like._files import new_file
from datamint_like.imaging._bounded_file import BoundedFile
from datamint_like.imaging.deidentify.burned_in import refuse_burned_in
from datamint_like.imaging.deidentify.dataset import DatasetCleaner
from datamint_like.imaging.deidentify.options import DeidentifyOptions
from datamint_like.imaging.deidentify.pseudonyms import Pseudonyms
from datamint_like.imaging.deidentify.report import Tally
from datamint_like.imaging.dicom.deflated import LONGEST_HEADER, deflated_from, inflated
from datamint_like.imaging.dicom.header import DicomFile, read_header
from datamint_like.imaging.types import SourceFile

_IMPLEMENTATION = UID("2.25.209389896184435527248649558523510500741")


def clean_dicom(source: SourceFile, target: Path, options: DeidentifyOptions, tally: Tally) -> None:
    """Write the file without identity; what was deflated is written plain.

    Raises:
        DecodeError: It is no image, segmentation or structure set, or it is damaged.
        ValidationError: Its pixels may tell the patient.
    """
    header = read_header(source, annotations=True)
    dataset, deflated = _whole(source, header)
    if header.element and not options.allow_burned_in:
        refuse_burned_in(dataset)
    DatasetCleaner(Pseudonyms(options.secret), options.tags, tally).clean(dataset)
    dataset.preamble = b"\0" * 128
    dataset.file_meta = _meta(dataset, ExplicitVRLittleEndian if deflated else header.syntax)
    with new_file(target, durable=False) as file:
        if header.syntax.is_transfer_syntax:
            dataset.save_as(file, enforce_file_format=False)
        else:  # newer than pydicom; all new ones are little endian with explicit VRs (PS3.5 A.4)
            dataset.save_as(file, implicit_vr=False, little_endian=True, force_encoding=True)


def _whole(source: SourceFile, header: DicomFile) -> tuple[Dataset, bool]:
    """The data set with its pixels as they are encoded, and whether it was deflated as a whole."""
    with BoundedFile(source.path) as file:
        start = deflated_from(file)
        stream: IO[bytes] = file
        if start is not None:
            stream = inflated(file, start, LONGEST_HEADER + (header.pixels.native_length if header.element else 0))
        stream.seek(0)
        return pydicom.dcmread(stream, force=True), start is not None


def _meta(dataset: Dataset, syntax: UID) -> FileMetaDataset:
    """A meta header that tells what must be told and nothing of where the file was."""
    meta = FileMetaDataset()
    meta.FileMetaInformationGroupLength = 0  # set when it is written
    meta.FileMetaInformationVersion = b"\0\1"
    meta.MediaStorageSOPClassUID = UID(dataset.get("SOPClassUID") or "")
    meta.MediaStorageSOPInstanceUID = UID(dataset.get("SOPInstanceUID") or "")
    meta.TransferSyntaxUID = syntax
    meta.ImplementationClassUID = _IMPLEMENTATION
    meta.ImplementationVersionName = "DATAMINT_LIKE"
    return meta
