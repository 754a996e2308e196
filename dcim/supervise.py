"""Keep the agent's jobs running, and tell systemd that the loop still turns."""

import asyncio
import gc
import os
import socket
from collections.abc import Awaitable, Callable, Sequence

from dcim import log

_LONGEST_PAUSE_S = 60.0


async def keep_running(name: str, job: Callable[[], Awaitable[None]]) -> None:
    """Run `job` again whenever a bug ends it: logged, counted, after a growing pause.

    With the timer wheel's, the only broad `except` of the suite: a fault in one job must not take
    the others down.
    """
    logger = log.get(name)
    pause_s, crashes = 1.0, 0
    loop = asyncio.get_running_loop()
    while True:
        started = loop.time()
        try:
            await job()
        except Exception as error:
            crashes += 1
            logger.error("job failed", job=name, crashes=crashes, pause_s=pause_s, exc_info=error)
        else:
            logger.error("job ended", job=name)
        await asyncio.sleep(pause_s)
        lasted = loop.time() - started
        pause_s = 1.0 if lasted > _LONGEST_PAUSE_S else min(2 * pause_s, _LONGEST_PAUSE_S)


async def calm_collector(after_s: Sequence[float] = (0.0, 3.0, 10.0, 30.0, 120.0)) -> None:
    """Keep the garbage collector from stopping the loop.

    A full collection of a site's plans, rules and last values takes 100 ms and more, which makes
    polls late. What has been built by each of these times stays for good and is taken out of its
    rounds; what comes after is collected less often, and in small portions.
    """
    gc.set_threshold(20_000, 20, 50)
    waited_s = 0.0
    for moment_s in after_s:
        await asyncio.sleep(moment_s - waited_s)
        waited_s = moment_s
        gc.freeze()


def tell_systemd(state: str) -> None:
    """Send `READY=1` or `WATCHDOG=1` to systemd where it started us (sd_notify(3))."""
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    address = "\0" + path[1:] if path.startswith("@") else path
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
        try:
            out.sendto(state.encode(), address)
        except OSError as error:
            log.get("systemd").warning("systemd does not listen", reason=str(error))
