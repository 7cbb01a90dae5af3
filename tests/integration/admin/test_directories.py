from directorysync.v1 import resources_pb2
from tests.support.stack import Stack


async def test_a_new_directory_has_a_key_a_token_and_one_event(stack: Stack) -> None:
    organization = await stack.organization()
    made = await stack.directory(organization.id, name="Müller & Söhne", provider="okta")
    assert made.directory.state == resources_pb2.DIRECTORY_STATE_UNLINKED
    assert made.directory.organization_id == organization.id
    assert len(made.directory.scim_key) >= 22
    # Okta refuses base URLs with an underscore.
    assert made.directory.scim_key.isalnum()
    assert made.secret.startswith("dst_")
    assert len(made.secret) == 4 + 43
    assert made.token.suffix == made.secret[-4:]
    (event,) = await stack.events(made.directory.id)
    assert (event.type, event.directory_sequence, event.token.id) == ("dsync.token.created", 1, made.token.id)
    assert event.transaction_end
    found = (await stack.call("DirectorySync/GetDirectory", id=made.directory.id)).directory
    assert found == made.directory
    assert stack.commits == [1]
