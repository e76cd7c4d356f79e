"""Several clients that change one thing at the same time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import cv2
import httpx
import numpy as np

from datamint_like.testing.contents import whole
from datamint_like.testing.samples import project_of, upload
from tests.serving import Served


def test_annotators_who_are_put_on_a_worklist_at_once_are_all_there(server: Served, admin: httpx.Client) -> None:
    project = project_of(server.store)
    emails = [f"annotator{number}@lab.example" for number in range(8)]
    for email in emails:
        server.user(email)
    place = f"/annotationsets/{project.worklist_id}/annotators"
    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(lambda email: admin.post(f"{place}/{email}", json={}).status_code, emails))
    assert codes == [200] * len(emails)
    worklist = server.store.get_worklist(project.worklist_id or "")
    assert sorted(each.email for each in worklist.annotators) == emails


def test_of_several_files_for_one_segmentation_one_is_attached(server: Served, admin: httpx.Client) -> None:
    resource = upload(server.store)
    item = {"type": "segmentation", "identifier": "lung", "scope": "frame", "frame_index": 0}
    (made,) = admin.post(f"/annotations/{resource.id}/annotations", json=[item]).json()
    place = f"/annotations/{resource.id}/annotations/{made}/file"

    def attach(row: int) -> int:
        mask = np.zeros((512, 512), np.uint8)
        mask[row] = 255
        content = cv2.imencode(".png", mask)[1].tobytes()
        return admin.post(place, files={"file": ("lung", content, "image/png")}).status_code

    with ThreadPoolExecutor(4) as pool:
        codes = sorted(pool.map(attach, range(4)))
    assert codes == [200, 422, 422, 422]
    assert server.store.verify() == []
    assert len(whole(server.store.read_resources([resource.id])).annotations[resource.id]) == 1
