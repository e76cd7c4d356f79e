"""One store on the network: Datamint's protocol, and what our own client uses beyond it (`docs/server.md`)."""
