"""All routes of the server, by subject."""

from datamint_like.server.routes import projects, splits, system, users
from datamint_like.server.routing import Route

ROUTES: tuple[Route, ...] = (*system.ROUTES, *users.ROUTES, *projects.ROUTES, *splits.ROUTES)
