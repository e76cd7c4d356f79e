"""Servers of others that tests start on this machine for themselves: PostgreSQL, and moto's S3."""
