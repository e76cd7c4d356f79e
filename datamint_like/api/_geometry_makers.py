"""Calls that make annotations with a geometry: lines, boxes, points, polylines and polygons."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from datamint_like.api import _geometry
from datamint_like.api._annotation_makers import AnnotationMakers
from datamint_like.api._annotation_rows import on_frames
from datamint_like.api._endpoint import ResourceRef
from datamint_like.api._geometry import CoordinateSystem, Geometry, Point, ViewPlane
from datamint_like.backends.base import NewAnnotation


class GeometryMakers(AnnotationMakers):
    """The calls of `annotations` that draw.

    Coordinates are `"pixel"` (x, y) on a frame, or `"patient"` (x, y, z) in millimetres, LPS+ as in DICOM; they are
    stored, and read back, in the system they were given in. `slice_plane` names the plane of a box in patient
    coordinates. `metadata` and `dicom_metadata` would convert between the systems, which is not done here.
    """

    def add_line_annotation(
        self,
        point1: Point,
        point2: Point,
        resource: ResourceRef,
        identifier: str,
        frame_index: int | None = None,
        slice_plane: ViewPlane | None = None,
        metadata: Any = None,
        dicom_metadata: Any = None,
        coords_system: CoordinateSystem = "pixel",
        worklist_id: str | None = None,
        imported_from: str | None = None,
        author_email: str | None = None,
        model_id: str | None = None,
        source: str | None = "imported",
    ) -> str:
        """The id of a new line between two points."""
        _refuse(slice_plane, coords_system, metadata, dicom_metadata)
        geometry = _geometry.line(point1, point2, coords_system, frame_index)
        template = _drawn("line", identifier, worklist_id, imported_from, author_email, model_id, source)
        return self._draw(resource, template, geometry, frame_index)

    def add_box_annotation(
        self,
        point1: Point,
        point2: Point,
        resource: ResourceRef,
        identifier: str,
        frame_index: int | None = None,
        slice_plane: ViewPlane | None = None,
        metadata: Any = None,
        dicom_metadata: Any = None,
        coords_system: CoordinateSystem = "pixel",
        worklist_id: str | None = None,
        imported_from: str | None = None,
        author_email: str | None = None,
        model_id: str | None = None,
        source: str | None = "imported",
    ) -> str:
        """The id of a new box between two opposite corners; its type is `"square"`."""
        _refuse(slice_plane, coords_system, metadata, dicom_metadata)
        geometry = _geometry.box(point1, point2, coords_system, frame_index, slice_plane)
        template = _drawn("square", identifier, worklist_id, imported_from, author_email, model_id, source)
        return self._draw(resource, template, geometry, frame_index)

    def add_point_annotation(
        self,
        point: Point,
        resource: ResourceRef,
        identifier: str,
        frame_index: int | None = None,
        slice_plane: ViewPlane | None = None,
        metadata: Any = None,
        dicom_metadata: Any = None,
        coords_system: CoordinateSystem = "pixel",
        worklist_id: str | None = None,
        imported_from: str | None = None,
        author_email: str | None = None,
        model_id: str | None = None,
        source: str | None = "imported",
        value: Mapping[str, Any] | None = None,
    ) -> str:
        """The id of a new point; `value` is kept with it as JSON text."""
        _refuse(slice_plane, coords_system, metadata, dicom_metadata)
        geometry = _geometry.point(point, coords_system, frame_index)
        template = _drawn("point", identifier, worklist_id, imported_from, author_email, model_id, source)
        return self._draw(resource, template, geometry, frame_index, value)

    def add_polyline_annotation(
        self,
        points: Sequence[Point],
        resource: ResourceRef,
        identifier: str,
        closed: bool = False,
        frame_index: int | None = None,
        slice_plane: ViewPlane | None = None,
        metadata: Any = None,
        dicom_metadata: Any = None,
        coords_system: CoordinateSystem = "pixel",
        worklist_id: str | None = None,
        imported_from: str | None = None,
        author_email: str | None = None,
        model_id: str | None = None,
        source: str | None = "imported",
        value: Mapping[str, Any] | None = None,
    ) -> str:
        """The id of a new chain of points, or with `closed=True` of a polygon; its type is `"region"`."""
        _refuse(slice_plane, coords_system, metadata, dicom_metadata)
        geometry = _geometry.polyline(points, closed, coords_system, frame_index)
        template = _drawn("region", identifier, worklist_id, imported_from, author_email, model_id, source)
        return self._draw(resource, template, geometry, frame_index, value)

    def add_polygon_annotation(
        self, points: Sequence[Point], resource: ResourceRef, identifier: str, **more: Any
    ) -> str:
        """The id of a new polygon: `add_polyline_annotation` with `closed=True`."""
        return self.add_polyline_annotation(points, resource, identifier, closed=True, **more)

    def _draw(
        self,
        resource: ResourceRef,
        template: NewAnnotation,
        geometry: Geometry,
        frame_index: int | None,
        value: Mapping[str, Any] | None = None,
    ) -> str:
        text = None if value is None else json.dumps(value)
        rows = on_frames(replace(template, geometry=geometry, value=text), frame_index, None)
        return self._create(resource, rows)[0]


def _drawn(
    kind: str,
    identifier: str,
    worklist_id: str | None,
    imported_from: str | None,
    author_email: str | None,
    model_id: str | None,
    source: str | None,
) -> NewAnnotation:
    return NewAnnotation(
        type=kind,
        identifier=identifier,
        worklist_id=worklist_id,
        imported_from=imported_from,
        author=author_email,
        model_id=model_id,
        source=source,
    )


def _refuse(plane: ViewPlane | None, system: CoordinateSystem, metadata: Any, dicom_metadata: Any) -> None:
    """Options that would convert coordinates are refused, never ignored."""
    if metadata is not None or dicom_metadata is not None:
        raise NotImplementedError(
            "Converting coordinates with metadata= is not implemented: geometry is stored in the system it is given "
            "in. Leave it out."
        )
    if plane is not None and system == "pixel":
        raise NotImplementedError(
            "slice_plane with pixel coordinates is not implemented: pixels lie on a stored frame, which frame_index "
            "names."
        )
