"""The store: rows in SQLite or PostgreSQL, content-addressed files in a folder or a bucket.

`backend.py` is the whole store, `options.py` says where it lies. Two seams hold the places apart: `connections.py` with
`engine.py` (all that knows SQLite) and `postgres.py`; `byte_store.py` with `files.py` (a folder, read without a
database) and `buckets.py`. The modules named after entities each hold the statements of one kind of row.
"""
