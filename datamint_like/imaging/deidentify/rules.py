"""What becomes of each DICOM attribute: PS3.15 table E.1-1 with the option of modified dates, and what it lacks.

The table is that of the package dicom-anonymizer. Its own run over a data set is not used: it looks into no sequence
that stays, and its UIDs are new in each process.
"""

from __future__ import annotations

from enum import Enum
from functools import cache
from typing import Any

from pydicom.datadict import dictionary_keyword, dictionary_VR, tag_for_keyword
from pydicom.uid import UID

from datamint_like._optional import need

_EDITION = "dicomanonymizer.dicom_anonymization_databases.dicomfields_2026c"


class Action(Enum):
    """What is done to an element."""

    KEEP = "keep"
    REMOVE = "remove"
    EMPTY = "empty"
    REPLACE = "replace"
    UID = "uid"
    SHIFT = "shift"
    PATIENT = "patient"
    CLEAN = "clean"  # a text, kept where it holds nothing of the identity
    ENTER = "enter"  # a sequence, whose items are looked at
    UNKNOWN = "unknown"


_ACTIONS = {
    "X_TAGS": Action.REMOVE,
    "Z_TAGS": Action.EMPTY,
    "X_Z_TAGS": Action.EMPTY,
    "D_TAGS": Action.REPLACE,
    "Z_D_TAGS": Action.REPLACE,
    "X_D_TAGS": Action.REPLACE,
    "X_Z_D_TAGS": Action.REPLACE,
    "U_TAGS": Action.UID,
    "X_Z_U_STAR_TAGS": Action.ENTER,
}
#: What leads to a patient or place and stands in no table.
_ALSO_REMOVED = (
    "IssuerOfAccessionNumberSequence",
    "IssuerOfPatientIDQualifiersSequence",
    "SourcePatientGroupIdentificationSequence",
    "GroupOfPatientsIdentificationSequence",
    "PatientBirthDateInAlternativeCalendar",
    "PatientDeathDateInAlternativeCalendar",
    "PatientAlternativeCalendar",
    "RequestingServiceCodeSequence",
    "SetupImageComment",
    "PrinterName",
    "FilmDestination",
    "HL7InstanceIdentifier",
    "RetrieveURI",
    "RetrieveURL",
    "FileSetID",
    "StorageMediaFileSetID",
)
#: Groups that go as a whole: curves, overlays, signatures and original attributes.
_REMOVED_GROUPS = ((0x5000, 0xFF00), (0x6000, 0xFF00), (0x0400, 0xFFFF), (0x4FFE, 0xFFFF), (0xFFFA, 0xFFFF))
#: Dates and times that are the patient's own and are never kept, shifted or not.
_OWN_TIMES = ("PatientBirthDate", "PatientBirthTime")
#: Descriptors of the table that stay where they hold nothing of the identity (Clean Descriptors): names of structures.
CLEANED_DESCRIPTORS = ("ROIName",)
#: Numbers that people or their systems choose, and so may be an id.
_NUMBERS_GIVEN = ("SeriesNumber",)
_TEXTS = frozenset({"AE", "LO", "SH", "LT", "ST", "UT", "UC", "UR"})
_DATES = frozenset({"DA", "DT", "TM"})
#: Ends of keywords of UIDs that name a kind of thing and no thing.
_KINDS_OF_UID = (
    "ClassUID",
    "ClassesInStudy",
    "ClassesSupported",
    "CodingSchemeUID",
    "ContextGroupExtensionCreatorUID",
    "ContextUID",
    "CreatorVersionUID",
    "MappingResourceUID",
    "SyntaxUID",
    "SyntaxUIDs",
)


@cache
def _table() -> dict[int, Action]:
    """The action of each single attribute of the profile.

    Raises:
        MissingExtraError: The package with the table is not installed.
    """
    edition: Any = need(_EDITION, extra="deid")
    found = {
        tag[0] << 16 | tag[1]: action
        for name, action in _ACTIONS.items()
        for tag in getattr(edition, name)
        if len(tag) == 2
    }
    for keyword in _ALSO_REMOVED:
        if (tag := tag_for_keyword(keyword)) is not None:
            found.setdefault(tag, Action.REMOVE)
    for keyword in (*CLEANED_DESCRIPTORS, *_NUMBERS_GIVEN):
        found[_tag(keyword)] = Action.CLEAN
    for keyword in ("PatientID", "PatientName"):
        found[_tag(keyword)] = Action.PATIENT
    return found


def in_profile(tag: int) -> bool:
    """Whether the profile, or what we add to it, changes this attribute wherever it is."""
    return tag in _table() or tag >> 16 & 1 == 1 or _in_removed_group(tag)


def keyword_of(tag: int) -> str:
    """The keyword of an attribute, else its tag."""
    try:
        return dictionary_keyword(tag) or f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
    except KeyError:
        return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def vr_of(tag: int, stored: str | None) -> str:
    """The VR by which an element is judged: its own, else that of the dictionary; empty for what no dictionary has."""
    try:
        known = dictionary_VR(tag)
    except KeyError:
        return ""
    return stored if stored and stored != "UN" else known


def action_of(tag: int, vr: str) -> Action:
    """What becomes of an element of this VR (`vr_of`) that was not asked to be retained."""
    if tag >> 16 & 1 or not vr:
        return Action.UNKNOWN
    if _in_removed_group(tag) or tag & 0xFFFF == 0:  # lengths of groups, which are others now
        return Action.REMOVE
    found = _table().get(tag)
    if vr in _DATES and keyword_of(tag) not in _OWN_TIMES:
        return Action.KEEP if vr == "TM" else Action.SHIFT
    if found is Action.REPLACE and vr == "UI":
        return Action.UID
    if found is not None:
        return found
    if vr == "PN":
        return Action.EMPTY
    if vr == "UI":
        return Action.KEEP if keyword_of(tag).endswith(_KINDS_OF_UID) else Action.UID
    if vr == "SQ":
        return Action.ENTER
    return Action.CLEAN if vr in _TEXTS else Action.KEEP


def is_standard(uid: str) -> bool:
    """Whether a UID is one of the standard's own, which identifies nobody."""
    return bool(UID(uid).name != uid)


def _in_removed_group(tag: int) -> bool:
    return any(tag >> 16 & mask == group for group, mask in _REMOVED_GROUPS)


def _tag(keyword: str) -> int:
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise KeyError(keyword)
    return tag
