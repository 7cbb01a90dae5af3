"""What PostgreSQL gives up in favour of others is asked again: such calls fail in a way that says so."""

import pytest

from tests.support.stack import Refused, Stack

RAISES = """
CREATE FUNCTION give_up() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'given up' USING ERRCODE = '{}'; END $$;
CREATE TRIGGER give_up BEFORE INSERT ON organization FOR EACH ROW EXECUTE FUNCTION give_up();
"""


@pytest.mark.parametrize("sqlstate", ["40P01", "40001", "55P03", "53200", "57P01", "25006"])
async def test_a_failure_that_may_pass_is_unavailable_and_says_when_to_come_again(stack: Stack, sqlstate: str) -> None:
    await stack.pool.execute(RAISES.format(sqlstate))
    with pytest.raises(Refused) as refused:
        await stack.call("DirectoryAdmin/CreateOrganization", name="A")
    assert refused.value.reason == "STORAGE_UNAVAILABLE"
    await stack.pool.execute("DROP TRIGGER give_up ON organization")
    await stack.call("DirectoryAdmin/CreateOrganization", name="A")


async def test_a_failure_that_stays_is_a_fault(stack: Stack) -> None:
    await stack.pool.execute(RAISES.format("XX000"))
    with pytest.raises(Refused) as refused:
        await stack.call("DirectoryAdmin/CreateOrganization", name="A")
    assert refused.value.reason == "INTERNAL"
