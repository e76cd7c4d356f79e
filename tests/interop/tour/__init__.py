"""A tour of the server that a published `datamint` client makes, in a process in which only that client is imported.

Each module is a chapter of steps, in the order of `CHAPTERS`. What one step makes, the next ones use.
"""
