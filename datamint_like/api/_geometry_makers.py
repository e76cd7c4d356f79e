"""Calls that make annotations with a geometry: lines, boxes, points, polylines and polygons."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from datamint_like.api import _geometry
from datamint_like.api._annotation_makers import AnnotationMakers
from datamint_like.api._annotation_rows import Origin, on_frame
from datamint_like.api._endpoint import ResourceRef
from datamint_like.api._geometry import CoordinateSystem, Geometry, Point, ViewPlane
from datamint_like.backends.base import NewAnnotation
from datamint_like.exceptions import ValidationError


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
        """The id of a new line between two points.

        Example:
            >>> id = api.annotations.add_line_annotation((10, 20), (60, 90), xray, "diameter", frame_index=0)
            >>> api.annotations.get_by_id(id).geometry["points"]
            [[10, 20, 0], [60, 90, 0]]
        """
        _refuse(slice_plane, coords_system, metadata, dicom_metadata)
        geometry = _geometry.line(point1, point2, coords_system, frame_index)
        origin = Origin(worklist_id, imported_from, author_email, model_id, source)
        template = origin.annotation("line", identifier)
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
        """The id of a new box between two opposite corners; its type is `"square"`.

        Corners are (x, y) pixels, the centre of the first one (0, 0), or with `coords_system="patient"` (x, y, z) in
        millimetres, LPS+ as in DICOM: x to the patient's left, y to the back, z to the head. `metainfo["affine"]` of
        an item gives RAS+, whose x and y have the other sign. A box that shares no pixel with its resource is an
        error of the datasets that read it.

        Example:
            >>> id = api.annotations.add_box_annotation((10, 20), (60, 90), xray, "nodule", frame_index=0)
            >>> ImageDataset(project="chest", return_boxes=True)[0]["boxes"]
            {'root@localhost': tensor([[10., 20., 60., 90.]])}
        """
        _refuse(slice_plane, coords_system, metadata, dicom_metadata)
        geometry = _geometry.box(point1, point2, coords_system, frame_index, slice_plane)
        origin = Origin(worklist_id, imported_from, author_email, model_id, source)
        template = origin.annotation("square", identifier)
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
        """The id of a new point; `value` is kept with it as JSON text.

        Example:
            >>> id = api.annotations.add_point_annotation((10, 20), xray, "tip", frame_index=0)
            >>> api.annotations.get_by_id(id).annotation_type
            'point'
        """
        _refuse(slice_plane, coords_system, metadata, dicom_metadata)
        geometry = _geometry.point(point, coords_system, frame_index)
        origin = Origin(worklist_id, imported_from, author_email, model_id, source)
        template = origin.annotation("point", identifier)
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
        """The id of a new chain of points, or with `closed=True` of a polygon; its type is `"region"`.

        Example:
            >>> points = [(10, 20), (60, 90), (60, 20)]
            >>> id = api.annotations.add_polyline_annotation(points, xray, "vessel", frame_index=0)
            >>> api.annotations.get_by_id(id).annotation_type
            'region'
        """
        _refuse(slice_plane, coords_system, metadata, dicom_metadata)
        geometry = _geometry.polyline(points, closed, coords_system, frame_index)
        origin = Origin(worklist_id, imported_from, author_email, model_id, source)
        template = origin.annotation("region", identifier)
        return self._draw(resource, template, geometry, frame_index, value)

    def add_polygon_annotation(
        self, points: Sequence[Point], resource: ResourceRef, identifier: str, **more: Any
    ) -> str:
        """The id of a new polygon: `add_polyline_annotation` with `closed=True`.

        Example:
            >>> points = [(10, 20), (60, 90), (60, 20)]
            >>> id = api.annotations.add_polygon_annotation(points, xray, "lesion", frame_index=0)
            >>> api.annotations.get_by_id(id).annotation_type
            'region'
        """
        if more.pop("closed", True) is not True:
            raise ValidationError("A polygon is closed. Use add_polyline_annotation for an open chain of points.")
        return self.add_polyline_annotation(points, resource, identifier, closed=True, **more)

    def _draw(
        self,
        resource: ResourceRef,
        template: NewAnnotation,
        geometry: Geometry,
        frame_index: int | None,
        value: Mapping[str, Any] | None = None,
    ) -> str:
        drawn = replace(template, geometry=geometry, value=_json_text(value))
        return self._create(resource, [on_frame(drawn, frame_index)])[0]


def _json_text(value: object) -> str | None:
    if value is None:
        return None
    try:
        return json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValidationError(f"value is kept as JSON, which cannot hold this: {error}.") from error


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
