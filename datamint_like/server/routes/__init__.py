"""All routes of the server, by subject."""

from datamint_like.server.routes import files, projects, resources, splits, system, uploads, users
from datamint_like.server.routing import Route

ROUTES: tuple[Route, ...] = (
    *files.ROUTES,
    *projects.ROUTES,
    *resources.ROUTES,
    *splits.ROUTES,
    *system.ROUTES,
    *uploads.ROUTES,
    *users.ROUTES,
)
