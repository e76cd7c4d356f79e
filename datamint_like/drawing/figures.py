"""Sheets as matplotlib figures, made without pyplot: nothing global is changed, and a notebook shows each once."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from datamint_like.drawing.boxes import DrawnBox
from datamint_like.drawing.layers import Layer
from datamint_like.drawing.pixels import Colour
from datamint_like.drawing.planes import Plane
from datamint_like.drawing.sheet import Sheet

_CELL, _SMALL_CELL = 3.2, 2.2  # inches of the longest side of a picture, and of one of many
_DPI = 90
_WIDEST, _NARROWEST = 14.0, 4.5
_THINNEST = 1.2  # inches of a column, so that its heading has room
_HEAD, _LINE, _GAP, _SIDE = 0.35, 0.2, 0.3, 0.35
_SMALL, _TEXT = 8, 9
#: Where the letters stand: left, right, top, bottom.
_EDGES = (
    (0.02, 0.5, "left", "center"),
    (0.98, 0.5, "right", "center"),
    (0.5, 0.97, "center", "top"),
    (0.5, 0.03, "center", "bottom"),
)
_BEHIND = {"facecolor": "black", "alpha": 0.45, "linewidth": 0, "pad": 1}
_TINY, _MOST_NAMED = 6, 12  # the names of boxes, and how many of a picture have theirs beside them


@dataclass(frozen=True)
class _Cell:
    """One picture: a plane of a sheet with some layers and boxes, its heading, and what stands at its left."""

    sheet: Sheet
    plane: Plane
    layers: Sequence[Layer]
    boxes: Sequence[DrawnBox]
    heading: str = ""
    side: str = ""


class _Entry(NamedTuple):
    """A line of the legend: a class of masks, filled, or a name of boxes, outlined."""

    name: str
    colour: Colour
    outlined: bool


class ShownFigure(Figure):
    """A figure that a notebook shows as a picture, without pyplot."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=self.dpi)
        return buffer.getvalue()


def sheet_figure(sheet: Sheet, max_annotators: int) -> ShownFigure:
    """The image, then each annotator's masks and boxes: a row each of the planes, or a column each of a single one."""
    shown = sheet.authors[:max_annotators]
    rows = ["image", *shown]
    flat = len(sheet.planes) == 1
    cells = []
    for number, name in enumerate(rows):
        layers = [layer for layer in sheet.layers if number and layer.author == name]
        boxes = [box for box in sheet.boxes if number and box.author == name]
        for column, plane in enumerate(sheet.planes):
            heading = name if flat else "" if number else plane.title
            side = name if not flat and column == 0 else ""
            cells.append(_Cell(sheet, plane, layers, boxes, heading, side))
    left_out = len(sheet.authors) - len(shown)
    notes = [_shading(sheet), *sheet.notes, *([f"and {left_out} more annotators"] if left_out else [])]
    columns = len(rows) if flat else len(sheet.planes)
    return _figure(cells, columns, sheet.title, notes, _classes(cells))


def montage_figure(sheets: Sequence[Sheet], title: str) -> ShownFigure:
    """One plane of each sheet with the masks and boxes of all its annotators."""
    columns = min(len(sheets), max(1, round((len(sheets) * 1.6) ** 0.5)))
    cells = []
    for sheet in sheets:
        plane = sheet.planes[0]
        heading = ", ".join(part for part in (sheet.title, plane.title) if part)
        cells.append(_Cell(sheet, plane, sheet.layers, sheet.boxes, _shortened(heading)))
    notes = list(dict.fromkeys(_shading(sheet) for sheet in sheets))
    more = [f"and {len(notes) - 3} other ranges"] if len(notes) > 3 else []
    return _figure(cells, columns, title, notes[:3] + more, _classes(cells))


def _figure(
    cells: Sequence[_Cell], columns: int, title: str, notes: Sequence[str], classes: Sequence[_Entry]
) -> ShownFigure:
    """The cells row by row at one scale, the title above, classes and notes below."""
    rows = -(-len(cells) // columns)
    across, down = _inches(cells, columns)
    width = max(_NARROWEST, sum(across) + _SIDE)
    foot = 0.1 + _LINE * len(notes) + (0.28 if classes else 0.0)
    height = rows * (down + _GAP) + _HEAD + foot
    figure = ShownFigure(figsize=(width, height), dpi=_DPI, facecolor="white")
    _say(figure, 0.5 * width, height - 0.08, title, ha="center", va="top", fontsize=_TEXT + 1)
    left = (width - sum(across) + _SIDE * 0.5) / 2
    for number, cell in enumerate(cells):
        row, column = divmod(number, columns)
        corner = left + sum(across[:column]), foot + (rows - 1 - row) * (down + _GAP)
        inner = across[column] - 0.08
        box = (corner[0] / width, corner[1] / height, inner / width, down / height)
        _draw(figure.add_axes(box), cell)
    for line, note in enumerate(reversed(notes)):
        _say(figure, 0.12, 0.08 + _LINE * line, note, ha="left", va="bottom", fontsize=_SMALL)
    if classes:
        _legend(figure, classes, (0.08 / width, (0.06 + _LINE * len(notes)) / height))
    return figure


def _inches(cells: Sequence[_Cell], columns: int) -> tuple[list[float], float]:
    """The width of each column and the height of a row, so that planes of one item are drawn at one scale."""
    sizes = [cell.plane.size(cell.sheet.image) for cell in cells]
    if len({id(cell.sheet) for cell in cells}) > 1:  # of different items only the proportions count
        sizes = [(height / max(height, width), width / max(height, width)) for height, width in sizes]
    widths = [max(width for _, width in sizes[column::columns]) for column in range(columns)]
    tallest = max(height for height, _ in sizes)
    cell = _CELL if columns < 4 else _SMALL_CELL
    scale = min(cell / max(tallest, *widths), (_WIDEST - _SIDE) / sum(widths))
    return [max(_THINNEST, width * scale) + 0.08 for width in widths], max(0.3, tallest * scale)


def _draw(axis: Any, cell: _Cell) -> None:
    plane = cell.plane
    axis.imshow(cell.sheet.picture(plane, cell.layers), aspect=plane.aspect, interpolation="auto")
    axis.set_xticks([])
    axis.set_yticks([])
    for spine in axis.spines.values():
        spine.set_visible(False)
    axis.set_title(cell.heading, fontsize=_SMALL, parse_math=False, pad=3)
    axis.set_ylabel(_shortened(cell.side, 26), fontsize=_SMALL, parse_math=False)
    for letter, (x, y, across, up) in zip(plane.letters, _EDGES, strict=False):
        where: dict[str, Any] = {"transform": axis.transAxes, "ha": across, "va": up}
        axis.text(x, y, letter, color="#ffd75f", fontsize=_TEXT, fontweight="bold", bbox=_BEHIND, **where)
    _draw_boxes(axis, cell)


def _draw_boxes(axis: Any, cell: _Cell) -> None:
    """The boxes of the cell's plane as lines that no image hides, with their names where these are few."""
    here = [box for box in cell.boxes if box.lies_in(cell.plane)]
    rows, columns = cell.plane.of(cell.sheet.image).shape[-2:]
    axis.set_autoscale_on(False)
    for box in here:
        x1, y1, x2, y2 = cell.plane.on_page(box.corners, (rows, columns))
        for colour, width in (("black", 2.6), (_unit(box.colour), 1.3)):
            axis.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor=colour, linewidth=width))
        if len(here) <= _MOST_NAMED:
            inwards, leftwards = y1 < 0.1 * rows, x1 > 0.7 * columns
            axis.text(
                min(x2, columns - 1) if leftwards else max(x1, 0),
                max(y1, 0),
                _shortened(box.name, 18),
                color=_unit(box.colour),
                fontsize=_TINY,
                ha="right" if leftwards else "left",
                va="top" if inwards else "bottom",
                bbox=_BEHIND,
                parse_math=False,
                clip_on=True,
            )


def _say(figure: Figure, x: float, y: float, words: str, **how: Any) -> None:
    """Text at inches from the lower left, as long as the figure is wide."""
    width, height = figure.get_size_inches()
    figure.text(x / width, y / height, _shortened(words, int(width * 14)), parse_math=False, **how)


def _legend(figure: Figure, classes: Sequence[_Entry], corner: tuple[float, float]) -> None:
    patches = [
        Patch(facecolor="none", edgecolor=_unit(each.colour), linewidth=1.5)
        if each.outlined
        else Patch(facecolor=_unit(each.colour), edgecolor="black", linewidth=0.5)
        for each in classes
    ]
    legend = figure.legend(
        handles=patches,
        labels=[_shortened(each.name) for each in classes],
        loc="lower left",
        bbox_to_anchor=corner,
        ncols=max(1, int(figure.get_size_inches()[0] / 1.6)),
        fontsize=_SMALL,
        frameon=False,
        borderaxespad=0.0,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)


def _shading(sheet: Sheet) -> str:
    return "colour as stored" if sheet.shade is None else f"black to white: {sheet.shade.words}"


def _classes(cells: Sequence[_Cell]) -> list[_Entry]:
    """The classes and boxes that the cells' items have, with their colours, and which of them no cell shows."""
    seen: dict[_Entry, bool] = {}
    for cell in cells:
        for layer in cell.layers:
            if layer.mask.any():
                entry = _Entry(layer.name, layer.colour, outlined=False)
                seen[entry] = seen.get(entry, False) or bool(cell.plane.of(layer.mask).any())
    for cell in cells:
        for box in cell.boxes:
            entry = _Entry(box.name, box.colour, outlined=True)
            seen[entry] = seen.get(entry, False) or box.lies_in(cell.plane)
    return [each if shown else each._replace(name=f"{each.name} (on other planes)") for each, shown in seen.items()]


def _unit(colour: Colour) -> tuple[float, float, float]:
    red, green, blue = colour
    return red / 255, green / 255, blue / 255


def _shortened(text: str, length: int = 34) -> str:
    """The text on one line, its middle left out where it is too long."""
    line = " ".join(text.split())
    return line if len(line) <= length else f"{line[: length // 2]}…{line[-(length // 2) + 1 :]}"
