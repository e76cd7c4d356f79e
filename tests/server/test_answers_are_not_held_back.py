"""An answer goes out in pieces (headers, body), and none of them waits for the client to acknowledge another."""

from __future__ import annotations

import socket

from datamint_like.backends.local.options import StoreOptions
from datamint_like.server.options import ServerOptions
from datamint_like.server.serving import listening


def test_connections_send_what_they_have_at_once() -> None:
    with (
        listening(ServerOptions(store=StoreOptions("unused"), port=0)) as listener,
        socket.create_connection(listener.getsockname()) as client,
    ):
        connection, _ = listener.accept()
        with connection:
            assert connection.getpeername() == client.getsockname()
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
