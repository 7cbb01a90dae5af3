"""Rows of the method table, made from the protos: a name that no proto has is an error at import."""

from google.protobuf.descriptor import FileDescriptor
from google.protobuf.message_factory import GetMessageClass

from service.domain.caller import Scope
from service.rpc.edge import Method, UnaryHandler


def unary_methods(
    file: FileDescriptor, service: str, scopes: tuple[Scope, ...], handlers: dict[str, UnaryHandler]
) -> list[Method]:
    """One Method for each handler, by the name of its RPC in the service."""
    descriptor = file.services_by_name[service]
    return [
        Method(
            path=f"/{descriptor.full_name}/{name}",
            request=GetMessageClass(descriptor.methods_by_name[name].input_type),
            response=GetMessageClass(descriptor.methods_by_name[name].output_type),
            scopes=scopes,
            unary=handler,
        )
        for name, handler in handlers.items()
    ]
