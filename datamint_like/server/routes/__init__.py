"""All routes of the server, by subject."""

from datamint_like.server.routes import (
    annotations,
    bulk,
    files,
    projects,
    resources,
    splits,
    statistics,
    system,
    uploads,
    users,
    worklist_work,
    worklists,
)
from datamint_like.server.routing import Route

ROUTES: tuple[Route, ...] = (
    *annotations.ROUTES,
    *bulk.ROUTES,
    *files.ROUTES,
    *projects.ROUTES,
    *resources.ROUTES,
    *splits.ROUTES,
    *statistics.ROUTES,
    *system.ROUTES,
    *uploads.ROUTES,
    *users.ROUTES,
    *worklist_work.ROUTES,
    *worklists.ROUTES,
)
