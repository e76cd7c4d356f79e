"""A dataset as an HTML card: what it holds, its label space with colours, and a few small pictures."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from html import escape

import cv2
import numpy as np

from datamint_like._words import counted
from datamint_like.dataset.holdings import Holdings
from datamint_like.dataset.seeds import seeded
from datamint_like.dataset.summary import Counts, counts_of, label_space_in_words
from datamint_like.drawing.pixels import Colour, Pixels, png_of
from datamint_like.drawing.sheet import Sheet, class_colour_table, sheet_of
from datamint_like.drawing.show import spread

_PICTURES, _SIDE = 4, 96
_CHEAP = 1 << 22  # voxels of a resource that are read for a picture without being asked
_MOST_NAMES = 24
_BOX = "font-family:sans-serif;font-size:13px;border:1px solid #ccc;border-radius:6px;padding:8px 12px;max-width:720px"


def card(dataset: Holdings) -> str:
    """HTML that stands alone; every name in it is escaped. A dataset that is not prepared is not prepared for it."""
    if dataset._state is None:
        return f'<div style="{_BOX}"><code>{escape(repr(dataset))}</code></div>'
    counts = counts_of(dataset._prepared, dataset._resource_rows())
    project = dataset.project
    head = escape(type(dataset).__name__) + (f" of project {escape(project.name)}" if project else "")
    rows = [("holds", _holdings(counts)), *_label_rows(dataset), *_annotation_rows(counts), *_origin(dataset)]
    table = "".join(
        f'<tr><td style="text-align:left;vertical-align:top;color:#666;padding-right:12px">{escape(name)}</td>'
        f'<td style="text-align:left">{content}</td></tr>'
        for name, content in rows
    )
    return f'<div style="{_BOX}"><b>{head}</b>{_montage(dataset)}<table>{table}</table></div>'


def _holdings(counts: Counts) -> str:
    words = [counted(counts.items, "item"), f"{counted(counts.resources, 'resource')} ({counts.annotated} annotated)"]
    words.append(counted(counts.patients, "patient"))
    if counts.without_patient:
        words.append(f"{counted(counts.without_patient, 'resource')} without a patient id")
    return escape(", ".join(words))


def _label_rows(dataset: Holdings) -> Iterable[tuple[str, str]]:
    colours = class_colour_table(dataset)
    for kind, names in label_space_in_words(dataset._prepared.space).items():
        if names:
            shown = [_name(name, colours.get(name) if kind == "segmentation classes" else None) for name in names]
            yield kind, _cut(shown)


def _annotation_rows(counts: Counts) -> Iterable[tuple[str, str]]:
    if counts.annotations:
        yield "annotations", _cut([escape(f"{n} {kind} {name}") for (kind, name), n in counts.annotations.items()])
        yield "annotators", _cut([escape(f"{name} ({n})") for name, n in counts.annotators.items()])


def _origin(dataset: Holdings) -> Iterable[tuple[str, str]]:
    if dataset.split_name:
        words = [dataset.split_name, dataset.split_source or "", dataset.split_as_of_timestamp or ""]
        yield "split", escape(", ".join(word for word in words if word))
    yield "fingerprint", f"<code>{escape(dataset.fingerprint[:12])}</code>"


def _name(name: str, colour: Colour | None) -> str:
    if colour is None:
        return escape(name)
    red, green, blue = colour
    style = f"display:inline-block;width:10px;height:10px;background:rgb({red},{green},{blue});border:1px solid #888"
    return f'<span style="{style}"></span> {escape(name)}'


def _cut(shown: list[str]) -> str:
    more = len(shown) - _MOST_NAMES
    return ", ".join(shown[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _montage(dataset: Holdings) -> str:
    """A row of small pictures of items that are cheap to read, or nothing."""
    indices = spread(len(dataset), _PICTURES)
    tiles = []
    for index in indices:
        shape = dataset.get_metainfo(index)["stored_shape"]
        if np.prod(shape, dtype=np.int64) > _CHEAP:
            continue
        try:
            with seeded(0):  # looking at a dataset draws nothing from the user's random numbers
                tiles.append(_tile(sheet_of(dataset, index, one_plane=True)))
        except Exception:  # noqa: BLE001  # a card shows what can be shown; the item's own error comes when it is asked for
            continue
    if not tiles:
        return ""
    picture = base64.b64encode(png_of(np.hstack(tiles))).decode("ascii")
    return f'<div><img alt="items of the dataset" style="margin:6px 0" src="data:image/png;base64,{picture}"></div>'


def _tile(sheet: Sheet) -> Pixels:
    """The sheet's plane within a black square, in true proportions."""
    plane = sheet.planes[0]
    pixels = sheet.picture(plane, sheet.layers)
    height, width = pixels.shape[0] * plane.aspect, float(pixels.shape[1])
    scale = _SIDE / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    tile = np.zeros((_SIDE, _SIDE + 4, 3), dtype=np.uint8)
    top, left = (_SIDE - size[1]) // 2, (_SIDE - size[0]) // 2
    for box in sheet.boxes:
        if box.lies_in(plane):
            x1, y1, x2, y2 = plane.on_page(box.corners, (pixels.shape[0], pixels.shape[1]))
            across, down = size[0] / pixels.shape[1], size[1] / pixels.shape[0]
            first, last = ((int((x + 0.5) * across), int((y + 0.5) * down)) for x, y in ((x1, y1), (x2, y2)))
            cv2.rectangle(small, first, last, box.colour, 1)
    tile[top : top + size[1], left : left + size[0]] = small
    return tile
