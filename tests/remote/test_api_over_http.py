"""The calls of `Api` do over a server what they do on the embedded store: the same tests, on a handle of a server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from datamint_like import Api
from tests import serving
from tests.api import (
    conftest,
    test_annotation_rows,
    test_annotation_sets,
    test_bulk_loads,
    test_frame_masks,
    test_imports_at_once,
    test_nifti_pairs,
    test_project_splits,
    test_resources,
    test_uploads,
    test_users,
    test_volume_masks,
)

#: The conformance kit runs over HTTP in every run; these are its calls once more, through `Api`.
pytestmark = pytest.mark.soak
_SUBJECTS = (
    conftest,
    test_annotation_rows,
    test_annotation_sets,
    test_bulk_loads,
    test_frame_masks,
    test_imports_at_once,
    test_nifti_pairs,
    test_project_splits,
    test_resources,
    test_uploads,
    test_users,
    test_volume_masks,
)
#: A server has no access to files of this machine, so they cannot be linked.
_OF_ONE_MACHINE = (
    "test_a_linked_file_is_read_in_place_and_its_change_is_noticed",
    "test_a_linked_pair_stays_where_it_lies_and_a_change_of_either_file_is_told",
)
for _subject in _SUBJECTS:
    for _name, _value in vars(_subject).items():
        if not _name.startswith("_") and _name not in (*_OF_ONE_MACHINE, *globals()):
            globals()[_name] = _value


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    monkeypatch.setenv("DATAMINT_LIKE_API_KEY", serving.ADMIN_KEY)
    with serving.served(tmp_path / "store") as server, Api(server.url) as handle:
        yield handle
