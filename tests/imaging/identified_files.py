"""A DICOM file that tells who, where and when in every place where files do, and each value that it tells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from tests.imaging.dicom_files import write_slice

#: Direct identifiers by keyword, top level; no value is part of another or of anything else in the file.
DIRECT: dict[str, str] = {
    "PatientName": "QUIXOTE^ALONSO",
    "PatientID": "PID-9071-X",
    "IssuerOfPatientID": "HOSP-REGISTRY",
    "PatientBirthDate": "19410203",
    "PatientBirthTime": "031417.271828",
    "OtherPatientIDs": "OTHERID-5512",
    "OtherPatientNames": "SENOR^KNIGHT",
    "PatientBirthName": "QUIJANO",
    "PatientMotherBirthName": "DULCINEA",
    "PatientAddress": "7 Windmill Lane",
    "PatientTelephoneNumbers": "555-0134-99",
    "PatientAge": "083Y",
    "PatientComments": "fell off his horse",
    "MilitaryRank": "KnightErrant",
    "MedicalRecordLocator": "MRL-77812",
    "EthnicGroup": "Manchegan",
    "Occupation": "hidalgo",
    "PatientReligiousPreference": "Chivalric",
    "ResponsiblePerson": "PANZA^SANCHO",
    "CountryOfResidence": "LAMANCHA",
    "RegionOfResidence": "TOBOSO",
    "AccessionNumber": "ACC-330912",
    "StudyID": "STUDYID-81",
    "AdmissionID": "ADM-40404",
    "ServiceEpisodeID": "EPISODE-606",
    "RequestedProcedureID": "RPID-1212",
    "PlacerOrderNumberImagingServiceRequest": "PLACER-9",
    "FillerOrderNumberImagingServiceRequest": "FILLER-8",
    "InstitutionName": "Hospital of Barataria",
    "InstitutionAddress": "1 Island Square",
    "InstitutionalDepartmentName": "Ward of Enchantment",
    "ReferringPhysicianName": "CARRASCO^SAMSON",
    "ReferringPhysicianAddress": "2 Salamanca Court",
    "ReferringPhysicianTelephoneNumbers": "555-7788-11",
    "PhysiciansOfRecord": "MERLIN^WIZARD",
    "PerformingPhysicianName": "FRESTON^SAGE",
    "NameOfPhysiciansReadingStudy": "CIDE^HAMETE",
    "RequestingPhysician": "CURATE^PERO",
    "OperatorsName": "BARBER^NICOLAS",
    "StationName": "ROCINANTE01",
    "PerformedStationAETitle": "AE_TOBOSO",
    "DeviceSerialNumber": "SN-88-4411",
    "ProtocolName": "Giants protocol",
    "StudyDescription": "after the windmills",
    "SeriesDescription": "lance wound",
    "ImageComments": "says he is a knight",
    "AdditionalPatientHistory": "reads too much",
    "DerivationDescription": "copied by hand",
    "StudyDate": "20170311",
    "SeriesDate": "20170312",
    "AcquisitionDate": "20170313",
    "ContentDate": "20170314",
    "InstanceCreationDate": "20170315",
    "AcquisitionDateTime": "20170316101500.25",
    "StudyInstanceUID": "1.2.826.0.1.3680043.111.1",
    "SeriesInstanceUID": "1.2.826.0.1.3680043.111.2",
    "SOPInstanceUID": "1.2.826.0.1.3680043.111.3",
    "FrameOfReferenceUID": "1.2.826.0.1.3680043.111.4",
    "IrradiationEventUID": "1.2.826.0.1.3680043.111.5",
}
#: Values in other places: in sequences, private and repeating groups, texts, the meta header and the preamble.
ELSEWHERE: dict[str, str] = {
    "a name in a sequence that stays": "CARDENIO^LUIS",
    "an institution two sequences deep": "Inn of Maritornes",
    "a reference to another image": "1.2.826.0.1.3680043.111.6",
    "the original attributes": "OLDNAME^OLDER",
    "a private text": "secret of the scanner",
    "a private text in a sequence": "secret of the item",
    "an overlay's comment": "drawn by Gines",
    "an overlay's label": "label of Gines",
    "a curve": "curve of Gines",
    "the sending machine in the meta header": "AE_SENDER",
    "private information in the meta header": "metasecret",
    "the preamble": "preamble of Sancho",
    "an element that no dictionary has": "unheard-of",
    "a text that names the patient": "scanner of ALONSO",
    "a text that holds an id": "case ACC-330912 seen",
}


def write_identified(path: Path, **elements: Any) -> Path:
    """A CT slice with all of them; keyword elements override, None removes."""
    pixels = np.arange(20, dtype=np.int16).reshape(4, 5)
    write_slice(path, pixels, **{**DIRECT, "InstanceNumber": 1, "StudyTime": "101112", **elements})
    dataset = dcmread(path)
    _hide(dataset)
    dataset.save_as(path, enforce_file_format=True)
    return path


def _hide(dataset: Any) -> None:
    there = iter(ELSEWHERE.values())
    image = Dataset()
    device = Dataset()
    device.Manufacturer, device.OperatorsName = "ACME", next(there)
    inner = Dataset()
    inner.InstitutionName = next(there)
    device.ContributingEquipmentSequence = Sequence([inner])
    image.ReferencedSOPClassUID, image.ReferencedSOPInstanceUID = dataset.SOPClassUID, next(there)
    dataset.ReferencedImageSequence = Sequence([image])
    dataset.ContributingEquipmentSequence = Sequence([device])
    original, modified = Dataset(), Dataset()
    modified.PatientName = next(there)
    original.ModifiedAttributesSequence = Sequence([modified])
    dataset.OriginalAttributesSequence = Sequence([original])
    dataset.private_block(0x0029, "ACME", create=True).add_new(1, "LO", next(there))
    device.private_block(0x0031, "ACME", create=True).add_new(1, "LO", next(there))
    dataset.add_new(0x60004000, "LT", next(there))
    dataset.add_new(0x60001500, "LO", next(there))
    dataset.add_new(0x50000020, "LO", next(there))
    dataset.file_meta.SourceApplicationEntityTitle = next(there)
    dataset.file_meta.PrivateInformationCreatorUID = "1.2.826.0.1.3680043.111.7"
    dataset.file_meta.PrivateInformation = next(there).encode()
    dataset.preamble = next(there).encode().ljust(128, b"\0")
    dataset.add_new(0x00080F0E, "LO", next(there))
    dataset.ManufacturerModelName = next(there)
    dataset.SoftwareVersions = next(there)
