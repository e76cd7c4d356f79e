"""The embedded store: one folder with a SQLite database and content-addressed files.

`backend.py` is the whole store; `files.py` only its bytes, without a database; `engine.py` is all that knows
SQLite. The modules named after entities each hold the statements of one kind of row.
"""
