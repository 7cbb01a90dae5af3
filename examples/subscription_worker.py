# ruff: noqa: INP001, T201
"""Work on every change by a named subscription: the service remembers how far this program came.

    python examples/subscription_worker.py NAME

Start it on several machines: one works, the others wait to take over. What was not acknowledged comes again.
The first start makes the subscription, which needs the scope `admin`; reading it needs `watch`.
"""

import asyncio
import sys
from contextlib import suppress

from directorysync import Client, DirectorySyncError
from directorysync.errors import AlreadyExists
from directorysync.subscription import SubscriptionBatch
from directorysync.v1.subscriptions_pb2 import CreateSubscriptionRequest, SubscriptionPosition


def handle(batch: SubscriptionBatch) -> None:
    """What your application does. When it returns, the batch is acknowledged; when it raises, it comes again."""
    for event in batch.events:
        print(event.directory_sequence, event.type, f"try {batch.redelivery_count + 1}", flush=True)


async def work(name: str) -> None:
    """Never ends by itself."""
    async with Client.connect() as client:
        beginning = SubscriptionPosition(beginning=True)
        with suppress(AlreadyExists):
            await client.admin.CreateSubscription(CreateSubscriptionRequest(name=name, position=beginning))
        await client.subscribe(name).run(handle)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: subscription_worker.py NAME")
    try:
        with suppress(KeyboardInterrupt):
            asyncio.run(work(sys.argv[1]))
    except DirectorySyncError as error:
        sys.exit(f"{type(error).__name__}: {error}")
