"""Upload one file again and again by a published client, and tell the id of each upload that the server acknowledged.

`python -m tests.interop.uploading FILE PROJECT`, until it is ended. Where the server is away, it tries again.
"""

from __future__ import annotations

import sys
import time


def main(file: str, project: str) -> None:
    """Upload, and print ids."""
    import datamint

    api = datamint.Api()
    api.projects.create(project, "", exists_ok=True)
    while True:
        try:
            made = api.resources.upload_resource(file, publish_to=project)
        except Exception:  # noqa: BLE001 -- whatever the client raises while the server is away
            time.sleep(0.1)
        else:
            print(made, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
