"""DICOM: header, frames, place in space, values and pixels, one module each."""

from __future__ import annotations

import sys


def _import_pydicom() -> None:
    """Import pydicom whatever lies beside the user's script.

    pydicom tries the package gdcm, and gdcm the modules `dl` and `DLFCN` of old Pythons: a folder or file of such a
    name would be taken for them, and both imports fail.
    """
    hidden = {name: sys.modules.get(name) for name in ("dl", "DLFCN")}
    sys.modules.update(dict.fromkeys(hidden, None))  # type: ignore[arg-type]  # None: there is no such module
    try:
        import pydicom  # noqa: F401
    finally:
        for name, module in hidden.items():
            del sys.modules[name]
            if module is not None:
                sys.modules[name] = module


_import_pydicom()
