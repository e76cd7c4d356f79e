"""One cache folder as a thing that is kept: what belongs to it, who uses it, and what goes when room is needed."""

from datamint_like._cache.folder import CacheFolder as CacheFolder
from datamint_like._cache.leases import Lease as Lease
from datamint_like._cache.leases import lease as lease
