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
#: Words, with digits and without: an underscore or a number ends a name.
_WORD, _LETTERS = re.compile(r"[^\W_]+"), re.compile(r"[^\W\d_]+")
_UID = re.compile(r"[0-9]+(?:\.[0-9]+)+")
_LENGTH_OF_DATE = 8


class Identity:
    """The identity that one file told before it was changed."""

    def __init__(self, dataset: Dataset) -> None:
        """Collect it from the data set and all its sequences."""
        found = {text.casefold() for text in _values(dataset) if _tells(text)}
        self._words = {text for text in found if text.isascii() and _WORD.fullmatch(text)}
        self._uids = {text for text in found if _UID.fullmatch(text)} - self._words
        self._phrases = found - self._words - self._uids

    def is_in(self, text: str) -> bool:
        """Whether a text holds a value of the identity, as words of their own."""
        folded = text.casefold()
        return (
            not self._words.isdisjoint((*_WORD.findall(folded), *_LETTERS.findall(folded)))
            or not self._uids.isdisjoint(_UID.findall(folded))
            or any(phrase in folded and _stands_alone(phrase, folded) for phrase in self._phrases)
        )


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
        elif vr == "DA":
            for day in texts_of(dataset[tag].value):
                yield from _ways_to_write(day)
        elif keyword_of(tag) in _WHOLE:
            yield from texts_of(dataset[tag].value)
        elif vr == "UI" and action_of(tag, vr) is Action.UID:
            yield from (uid for uid in texts_of(dataset[tag].value) if not is_standard(uid))


def _ways_to_write(day: str) -> Iterator[str]:
    """A date as it is, and as people write it into texts."""
    yield day
    if len(day) == _LENGTH_OF_DATE and day.isdigit():
        year, month, date = day[:4], day[4:6], day[6:]
        for sign in "-./":
            yield from (sign.join(parts) for parts in ((year, month, date), (date, month, year), (month, date, year)))


def _stands_alone(phrase: str, text: str) -> bool:
    """Whether no word goes on where the phrase begins or ends; scripts that write words without space are spared."""
    return not phrase.isascii() or re.search(rf"(?<![^\W_]){re.escape(phrase)}(?![^\W_])", text) is not None


def _tells(text: str) -> bool:
    """Whether a value is long enough to be looked for without finding it everywhere."""
    if not text.isascii():
        return len(text) >= _SHORTEST_FOREIGN
    return len(text) >= (_SHORTEST_NUMBER if text.isdigit() else _SHORTEST_WORD)
