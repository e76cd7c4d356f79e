"""Arguments of uploads in their one form, checked before a file is read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from datamint_like._files import reason_of
from datamint_like.api._deidentified import Anonymize
from datamint_like.api._endpoint import several
from datamint_like.api._identity import refuse_identity
from datamint_like.exceptions import ValidationError

MetadataGiven: TypeAlias = Mapping[str, Any] | str | None


def refuse_what_is_missing(mung_filename: Any, discard_dicom_reports: bool, anonymize: Anonymize | None) -> None:
    """Options that are not there yet are refused, never ignored; anonymized files have neutral names in any case."""
    if mung_filename is not None and anonymize is None:
        raise NotImplementedError("mung_filename is not implemented yet: resources keep the base names of files.")
    if not discard_dicom_reports:
        raise NotImplementedError("discard_dicom_reports=False is not possible: a report has no pixels to store.")


def tag_list(tags: Any) -> tuple[str, ...]:
    """The tags without blanks around them and without repeats.

    Raises:
        ValidationError: They are one text, not texts, or one is empty.
    """
    such_as = '["ct", "train"]'
    given = several(tags, "tags", such_as)
    if not all(isinstance(tag, str) and tag.strip() and is_unicode(tag) for tag in given):
        raise ValidationError(
            f"tags is a list of Unicode texts that are not empty, such as {such_as}, not {tags!r:.80}."
        )
    return tuple(dict.fromkeys(tag.strip() for tag in given))


def is_unicode(text: str) -> bool:
    """Whether the text can be stored: bytes of a command line that are no UTF-8 cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def metadata_list(given: Any, count: int) -> tuple[Mapping[str, Any], ...]:
    """For each of `count` arguments its metadata; empty where none is given.

    Raises:
        ValidationError: There are more or fewer, or one is no mapping, JSON object or JSON file, or tells who the
            patient is.
    """
    if given is None:
        return ()
    many = [given] * count if isinstance(given, Mapping | str) else several(given, "metadata", '[{"age": 7}]')
    if len(many) != count:
        raise ValidationError(f"metadata has {len(many)} entries for {count} files_path. Give one for each.")
    found = tuple(_metadata_dict(entry) for entry in many)
    for entry in found:
        refuse_identity(entry)
    return found


def _metadata_dict(entry: Any) -> Mapping[str, Any]:
    """A mapping as it is, JSON text or the path of a JSON file decoded."""
    if entry is None or isinstance(entry, Mapping):
        return entry or {}
    if not isinstance(entry, str | Path):
        raise ValidationError(f"Each metadata is a dict, JSON text or the path of a JSON file, not {entry!r:.80}.")
    name = "metadata" if str(entry).lstrip().startswith("{") else Path(entry).name
    try:
        decoded = json.loads(str(entry) if name == "metadata" else Path(entry).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        reason = reason_of(error)
        raise ValidationError(f"{name} cannot be read as a JSON object: {reason}.") from error
    if not isinstance(decoded, dict):
        raise ValidationError(f"{name} must hold a JSON object, not a {type(decoded).__name__}.")
    return decoded
