"""One cache folder as a thing that is kept: what belongs to it, who uses it, and what goes when room is needed."""

from datamint_like._cache.folder import CacheFolder
from datamint_like._cache.leases import Lease, lease

__all__ = ["CacheFolder", "Lease", "lease"]
