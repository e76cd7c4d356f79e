"""The card of a dataset in a notebook."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch
from PIL import Image

from datamint_like import ImageDataset, VolumeDataset
from datamint_like.backends import open_backend
from datamint_like.backends.base import NewAnnotation, NewProject, NewResource
from datamint_like.entities import AnnotationSpec, SegmentationClass
from tests.dataset.conftest import Shelf

pytestmark = pytest.mark.filterwarnings("ignore::datamint_like.exceptions.SkippedResourcesWarning")


class Tags(HTMLParser):
    """The tags of a page, which must be closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.add(tag)
        if tag != "img":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def tags(html: str) -> set[str]:
    parser = Tags()
    parser.feed(html)
    assert not parser.open
    return parser.seen


def test_the_card_says_what_the_dataset_holds(shelf: Shelf) -> None:
    volumes = VolumeDataset(project="mixed", server_url=shelf.url, irregular_spacing="keep")
    part = volumes.slice("axial").split(train=0.5, val=0.5, seed=1)["train"]
    html = part._repr_html_()
    assert tags(html) == {"div", "b", "img", "table", "tr", "td", "span", "code"}
    for expected in (
        "SlicedVolumeDataset of project mixed",
        f"{len(part)} items, 1 resource",
        "1 patient",
        "rgb(200,80,60)",
        "soft",
        "contrast",
        "train, local",
        part.fingerprint[:12],
    ):
        assert expected in html


def test_the_pictures_are_a_png_in_the_card(shelf: Shelf) -> None:
    html = ImageDataset(project="mixed", server_url=shelf.url).prepare()._repr_html_()
    (encoded,) = re.findall(r"data:image/png;base64,([A-Za-z0-9+/=]+)", html)
    assert Image.open(io.BytesIO(base64.b64decode(encoded))).size == (200, 96)


def test_a_dataset_that_is_not_prepared_stays_so(shelf: Shelf) -> None:
    dataset = ImageDataset(project="<b>nowhere</b>", server_url=shelf.url)
    html = dataset._repr_html_()
    assert "not prepared" in html
    assert "<b>" not in html


def test_looking_at_the_card_draws_no_random_number_of_the_user(shelf: Shelf) -> None:
    dataset = ImageDataset(
        project="mixed",
        server_url=shelf.url,
        alb_transform=lambda image, masks: {"image": image * torch.rand(1).item(), "masks": masks},
    ).prepare()
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    dataset._repr_html_()
    assert torch.equal(torch.rand(2), expected)


def test_an_item_that_cannot_be_read_leaves_its_picture_out(shelf: Shelf) -> None:
    def broken(image: object, masks: object) -> dict[str, object]:
        raise RuntimeError("no")

    html = ImageDataset(project="mixed", server_url=shelf.url, alb_transform=broken).prepare()._repr_html_()
    assert "<img" not in html
    assert "2 items" in html
    assert "0 items" in ImageDataset(project="mixed", server_url=shelf.url).subset([])._repr_html_()


def test_every_name_is_escaped(tmp_path: Path, demo_images: Path) -> None:
    evil = "<script>alert('x')</script>&"
    backend = open_backend((tmp_path / "store").as_uri())
    xray = demo_images / "xray" / "nih_00000001_000.png"
    resource = backend.create_resource(NewResource(paths=(xray,), filename="x.png", publish=True))
    backend.create_project(
        NewProject(
            name="p<i>",
            resource_ids=(resource.id,),
            annotations=(AnnotationSpec(type="category", identifier=evil, values=(evil,)),),
            segmentation_group={evil: SegmentationClass(color=(1, 2, 3), index=1)},
        )
    )
    backend.create_annotations(
        resource.id, [NewAnnotation(type="category", identifier=evil, value=evil, author="<u>@lab.example")]
    )
    html = ImageDataset(project="p<i>", server_url=backend.url).prepare()._repr_html_()
    assert not tags(html) & {"script", "i", "u"}
    assert "&lt;script&gt;" in html
    backend.close()
