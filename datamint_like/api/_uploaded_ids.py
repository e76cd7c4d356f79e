"""The result of an upload: an id for each file that was given."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from datamint_like.api._files_given import GivenFile, Originals
from datamint_like.api._uploads import StoredPlan
from datamint_like.imaging.types import Skipped

if TYPE_CHECKING:
    from datamint_like.imaging.deidentify import DeidentificationReport


class UploadedIds(list["str | None"]):
    """One entry for each file given, in order: the id of the resource that it is part of now.

    The files of a series share an id, which stands here once for each. None stands for a file that is no part of a
    resource: one that was left out, or that annotates resources. A folder or pattern stands for the files it holds.

    Attributes:
        files: The files, entry by entry; open files and data sets as the names they were stored under.
        resource_ids: The ids of the new resources, once each.
        skipped: Files that became no resource and no annotation, with the reason in words.
        annotation_files: Segmentations and structure sets that became annotations of these or of other resources.
        report: What was done to the files where they were to be anonymized, else None; `print` shows it as text.
    """

    def __init__(
        self,
        given: Sequence[GivenFile],
        made: StoredPlan,
        skipped: Iterable[Skipped],
        annotation_files: Iterable[Path],
        report: DeidentificationReport | None = None,
    ) -> None:
        """Take the files, and what became of them."""
        ids = {path: each.resource_id for each in made.stored for path in each.item.group.paths}
        super().__init__(ids.get(file.path) for file in given)
        originals = Originals(given)
        self.files = tuple(file.told for file in given)
        self.resource_ids = tuple(made.ids)
        self.skipped = tuple(skipped)
        self.annotation_files = tuple(map(originals.path, annotation_files))
        self.report = report
