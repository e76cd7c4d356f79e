"""Stores behind HTTP: our own server, and Datamint's protocol.

`connecting.py` opens one. `transport.py` is all that knows how requests fail and are repeated; `blobs.py` and the
modules it uses bring files to this machine; the modules named after entities each hold the calls of one subject.
"""
