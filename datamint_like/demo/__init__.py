"""The demo: shipped real images become a project, and a small network trains on it."""
