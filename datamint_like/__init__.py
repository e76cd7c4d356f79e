"""datamint_like."""

__version__ = "0.1.0"
