"""`dcim demo`: the simulated hall on real sockets, the agent, and the console or a report."""

import asyncio
import signal
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from dcim.cli.output import Stop, print_json, run
from dcim.cli.questions import JsonOption
from dcim.client import ClientError

CONTROL = Path("~/.cache/dcim/demo.sock").expanduser()
NAMES = (
    *("leak", "pump_trip", "feed_a_loss", "feed_b_loss", "bbu_module_missing", "job_end"),
    *("sensor_stuck", "device_slow", "device_dead"),
)
ControlOption = Annotated[Path, typer.Option(help="The control socket of the running demo.")]

T = TypeVar("T")


def register(app: typer.Typer) -> None:
    app.command()(demo)
    app.command()(fault)


def demo(
    headless: Annotated[bool, typer.Option("--headless", help="No console: run, report.")] = False,
    duration: Annotated[float, typer.Option(help="Seconds; headless only.", min=45)] = 60.0,
    json: JsonOption = False,
    store: Annotated[
        str | None, typer.Option(help="embedded:DIR, or influx://HOST:PORT/ORG/BUCKET.")
    ] = None,
    past_days: Annotated[int, typer.Option(help="History to write before.", min=0)] = 30,
    seed: Annotated[int, typer.Option(help="Of the simulated plant.")] = 1,
) -> None:
    """Watch a simulated liquid-cooled AI hall: real SNMP, Modbus and MQTT, a leak, a webhook.

    A token for --store influx:// comes from DCIM_INFLUX_TOKEN. Headless, it exits 0 only if what
    the agent found agrees with what the plant knows.
    """
    from dcim.cli.console import console
    from dcim.cli.report import report
    from dcim.cli.stage import Settings
    from fixtures.plant.process import PlantError

    settings = Settings(seed=seed, store=store, past_days=0 if headless else past_days)
    try:
        if not headless:
            raise Stop(code=run(_until_hangup(console(settings))))
        found = run(_until_hangup(report(settings, duration)))
    except asyncio.CancelledError:
        raise Stop("ended by a signal") from None
    except (PlantError, ClientError) as error:
        raise Stop(str(error)) from None
    except KeyboardInterrupt:
        raise Stop(code=0) from None
    if json:
        print_json(found)
    else:
        for key, value in found.items():
            print(f"{key:22} {value}")
    if found["failed"]:
        raise Stop("; ".join(found["failed"]))


async def _until_hangup(job: Coroutine[Any, Any, T]) -> T:
    """Run `job`; a lost terminal or SIGTERM ends everything it has started, too."""
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGHUP, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    return await job


def fault(
    name: Annotated[str, typer.Argument(help=f"{', '.join(NAMES)}; or clear")],
    at: Annotated[
        str, typer.Option(help="Where; needed by all but feed_a_loss and feed_b_loss.")
    ] = "",
    control: ControlOption = CONTROL,
) -> None:
    """Switch a fault of the running demo on, or all off by `clear` (those of a place by --at).

    A place that a fault cannot be at is refused with those it can. leak: row-1, rack-r07, cdu-2,
    leak-row1 ...; pump_trip: cdu-1, rpu-1, cdu-1/pump/2; bbu_module_missing: bbu-r03, rack-r03;
    job_end: row-1; sensor_stuck: a point; device_slow, device_dead: a device.
    """
    from dcim.cli.console import command

    print(run(command(control, name, at)))
