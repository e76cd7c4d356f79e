"""The chapters of the tour, in their order."""

CHAPTERS = (
    "users",
    "projects",
    "uploads",
    "worklists",
    "marks",
    "masks",
    "work",
    "splits",
    "remembering",
    "listing",
    "downloads",
    "images",
    "volumes",
    "videos",
    "keeping",
    "errors",
    "paging",
)
