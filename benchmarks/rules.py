"""What rules cost: 10,000 watched points, each with a new reading, beside the bare loop."""

from dataclasses import replace
from statistics import median
from time import process_time

from dcim.model.asset import Device, Hall, Row, Site
from dcim.model.metric import registry
from dcim.model.reading import Reading
from rules.alarms import AlarmEngine
from rules.rule import builtin, load

POINTS = 10_000
ROUNDS = 20


def main() -> None:
    site = Site("site-1", halls={"hall-1": Hall("hall-1")}, rows={"row-1": Row("row-1", "hall-1")})
    devices = {f"leak-{n}": Device(f"leak-{n}", "row-1") for n in range(POINTS)}
    engine = AlarmEngine(load(builtin()), replace(site, devices=devices), registry())
    readings = [Reading(f"{device}/leak", None, 0.0, state="dry") for device in devices]
    engine.meet(reading.point for reading in readings)
    engine.update(readings, 0.0)
    rules, bare, ticks = [], [], []
    for round_ in range(1, ROUNDS + 1):
        rules.append(_cpu_s(lambda now=round_: engine.update(readings, float(now))))
        ticks.append(_cpu_s(lambda now=round_: engine.tick(float(now))))
        bare.append(_cpu_s(lambda: [r for r in readings if r.state == "wet"]))
    print("| what | us a reading | x bare loop |\n| --- | ---: | ---: |")
    for name, times in (("AlarmEngine.update", rules), ("bare loop", bare)):
        print(
            f"| {name} | {median(times) / POINTS * 1e6:.2f} | {median(times) / median(bare):.1f} |"
        )
    print(f"\nA tick with nothing due: {median(ticks) * 1e6:.0f} us.")


def _cpu_s(job) -> float:
    start = process_time()
    job()
    return process_time() - start


if __name__ == "__main__":
    main()
