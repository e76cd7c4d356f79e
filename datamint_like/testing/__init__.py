"""Conformance kits: a new backend inherits its tests.

    from datamint_like.testing.backend_kit import BackendKit

    class TestMyBackend(BackendKit):
        @pytest.fixture
        def backend(self, tmp_path):
            return MyBackend(...)

The kits need pytest, which nothing else of the package imports. `fault_server` is a proxy whose answers go wrong as
planned, for clients of servers.
"""
