"""Received files without identity, where the request asks for that; one secret a server, whoever uploads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from datamint_like.backends.base import NewResource
from datamint_like.backends.deidentification_secret import secret_of
from datamint_like.exceptions import DecodeError, ValidationError


class Anonymizing(msgspec.Struct, frozen=True):
    """Whether files are to be without identity, and whether images are taken whose pixels may tell the patient."""

    anonymize: bool = False
    allow_burned_in: bool = False

    def of(self, new: NewResource, store_url: str, folder: Path) -> tuple[NewResource, dict[str, Any]]:
        """The resource as it will be stored, and what the answer says of its de-identification.

        Args:
            new: The resource, of files in a private folder.
            store_url: The store, which keeps the secret.
            folder: That folder; files without identity are written into it.

        Raises:
            DecodeError: A file cannot be de-identified, or its pixels may tell the patient.
            ValidationError: Masks come along, which would keep what tells of people; or there are no files.
            MissingExtraError: The extra `deid` is not installed on the server.
        """
        if not self.anonymize:
            return new, {}
        if new.annotations or new.volume_masks:
            raise ValidationError("With anonymize, send the resource alone; annotations and masks afterwards.")
        if not new.paths:
            raise ValidationError(f"Resource {new.filename!r} has no files: there is nothing to anonymize.")
        from datamint_like.imaging.deidentify import DeidentifyOptions, deidentify_files

        target = folder / "anonymized"
        target.mkdir(mode=0o700)
        done = deidentify_files(new.paths, target, DeidentifyOptions(secret_of(store_url), (), self.allow_burned_in))
        if done.skipped:
            raise DecodeError(f"A file cannot be anonymized; nothing was stored. {done.skipped[0].reason}")
        paths = tuple(dict.fromkeys(done.files[path] for path in new.paths))
        report = {"files": done.report.files, "rules": done.report.rules}
        return replace(new, paths=paths, filename=paths[0].name), {"anonymized": report}
