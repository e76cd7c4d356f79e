"""All routes of the server, by subject."""

from datamint_like.server.routes import (
    annotations,
    projects,
    splits,
    statistics,
    system,
    users,
    worklist_work,
    worklists,
)
from datamint_like.server.routing import Route

ROUTES: tuple[Route, ...] = (
    *annotations.ROUTES,
    *projects.ROUTES,
    *splits.ROUTES,
    *statistics.ROUTES,
    *system.ROUTES,
    *users.ROUTES,
    *worklist_work.ROUTES,
    *worklists.ROUTES,
)
