"""The values of a DICOM file that tell who, where and when: looked for again in every text that stays."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from datamint_like.imaging.deidentify.rules import Action, action_of, is_standard, keyword_of, vr_of

#: Attributes whose whole value is looked for; names of people are looked for word by word.
_WHOLE = frozenset(
    {
        "AccessionNumber",
        "AdmissionID",
        "CassetteID",
        "CurrentPatientLocation",
        "DetectorID",
        "DeviceSerialNumber",
        "FillerOrderNumberImagingServiceRequest",
        "GantryID",
        "InstitutionAddress",
        "InstitutionName",
        "InstitutionalDepartmentName",
        "IssuerOfPatientID",
        "MedicalRecordLocator",
        "OtherPatientIDs",
        "PatientAddress",
        "PatientID",
        "PatientTelephoneNumbers",
        "PerformedProcedureStepID",
        "PerformedStationName",
        "PlacerOrderNumberImagingServiceRequest",
        "PlateID",
        "ReferringPhysicianAddress",
        "ReferringPhysicianTelephoneNumbers",
        "RequestedProcedureID",
        "RequestingService",
        "ResponsibleOrganization",
        "ScheduledProcedureStepID",
        "ServiceEpisodeID",
        "StationName",
        "StudyID",
        "UniqueDeviceIdentifier",
    }
)
_SHORTEST_WORD, _SHORTEST_NUMBER, _SHORTEST_FOREIGN = 3, 4, 2
_MOST_VALUES = 5000


class Identity:
    """The identity that one file told before it was changed."""

    def __init__(self, dataset: Dataset) -> None:
        """Collect it from the data set and all its sequences."""
        found = {text.casefold() for text in _values(dataset) if _tells(text)}
        longest = sorted(found, key=len, reverse=True)[:_MOST_VALUES]
        self._pattern = re.compile("|".join(map(_searched, longest))) if longest else None

    def is_in(self, text: str) -> bool:
        """Whether a text holds a value of the identity, as words of their own."""
        return self._pattern is not None and self._pattern.search(text.casefold()) is not None


def texts_of(value: object) -> list[str]:
    """The texts of an element, without padding; of one value or several."""
    many = value if isinstance(value, MultiValue | list | tuple) else [value]
    return [text for each in many if each is not None and (text := str(each).strip(" \0"))]


def _values(dataset: Dataset) -> Iterator[str]:
    for tag in list(dataset.keys()):
        vr = vr_of(tag, dataset.get_item(tag).VR)
        if vr == "SQ":
            for item in dataset[tag].value:
                yield from _values(item)
        elif vr == "PN":
            for name in texts_of(dataset[tag].value):
                yield name
                yield from re.split(r"[\s^=,.;]+", name)
        elif vr == "DA" or keyword_of(tag) in _WHOLE:
            yield from texts_of(dataset[tag].value)
        elif vr == "UI" and action_of(tag, vr) is Action.UID:
            yield from (uid for uid in texts_of(dataset[tag].value) if not is_standard(uid))


def _searched(text: str) -> str:
    """The pattern of a value: as a word of its own, but in scripts that may write words without space."""
    return rf"(?<!\w){re.escape(text)}(?!\w)" if text.isascii() else re.escape(text)


def _tells(text: str) -> bool:
    """Whether a value is long enough to be looked for without finding it everywhere."""
    if not text.isascii():
        return len(text) >= _SHORTEST_FOREIGN
    return len(text) >= (_SHORTEST_NUMBER if text.isdigit() else _SHORTEST_WORD)
