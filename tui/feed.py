"""The agent's site and event stream, taken up again for ever."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

from dcim.client import Backoff, Client, ClientError, ErrorKind
from dcim.model.wire import Event, SiteOut


async def feed(
    client: Client, patterns: Callable[[SiteOut], Sequence[str]], backoff: Backoff
) -> AsyncGenerator[SiteOut | Event | ClientError, None]:
    """The site, a snapshot, its changes; after an error and a pause all of it anew."""
    while True:
        try:
            site = await client.site()
            yield site
            async with aclosing(client.events(patterns(site))) as events:
                async for event in events:
                    yield event
                    backoff.reset()
                    if event.kind == "resync":
                        break
                else:
                    yield ClientError(ErrorKind.NO_CONNECTION, "the agent ended the stream")
        except ClientError as error:
            yield error
        await asyncio.sleep(backoff.next_s())
