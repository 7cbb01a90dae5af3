"""WorkOS's JSON of what the service says in protobuf. Pure: no I/O, no clock. Shared by `rest` and `webhooks`."""
