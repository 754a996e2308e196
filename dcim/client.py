"""The client of the agent's HTTP API, for the console, the command line and other people's tools."""

import asyncio
import os
import random
import re
import ssl
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError

from dcim.model.reading import rfc3339
from dcim.model.wire import (
    AckIn,
    ActionOut,
    AlarmOut,
    DeviceOut,
    Event,
    ExplainOut,
    PointOut,
    RackOut,
    ShelveIn,
    SiteOut,
    StatusOut,
    TrapsOut,
    TrendOut,
    UsageOut,
)

TOKEN_FILE = Path("~/.config/dcim/token")

_ANSWER_TIMEOUT_S = 10.0
_SILENCE_TIMEOUT_S = 5.0  # of an event stream, which says something every second
_LINE_END = re.compile(rb"\r\n|\n|\r")
_MAX_LINE_BYTES = 64 * 2**20

T = TypeVar("T")


class ErrorKind(StrEnum):
    """Why a request gave no answer."""

    NO_CONNECTION = "no connection"
    UNAUTHORISED = "unauthorised"
    SERVER = "server said"  # it answered, and the answer is no or makes no sense


class ClientError(Exception):
    """A request without an answer; `detail` is one line for people."""

    def __init__(self, kind: ErrorKind, detail: str) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind
        self.detail = detail


def default_token(environ: Mapping[str, str] = os.environ, file: Path = TOKEN_FILE) -> str | None:
    """The token of `DCIM_TOKEN` or of `~/.config/dcim/token`; None where there is neither."""
    if token := environ.get("DCIM_TOKEN", "").strip():
        return token
    path = file.expanduser()
    return (path.read_text("utf-8").strip() or None) if path.is_file() else None


class Backoff:
    """Growing waits between attempts, each up to half again longer by chance."""

    def __init__(
        self,
        first_s: float = 1.0,
        longest_s: float = 15.0,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._chance = chance
        self._next_s = first_s

    def reset(self) -> None:
        self._next_s = self._first_s

    def next_s(self) -> float:
        wait_s = min(self._longest_s, self._next_s * (1 + self._chance() / 2))
        self._next_s = min(self._longest_s, self._next_s * 2)
        return wait_s


class SseParser:
    """Server-sent events from bytes as they come. Source: WHATWG HTML, section 9.2.6."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._after_cr = False
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> list[str]:
        """The data of every event that `chunk` completes."""
        events = []
        for line in self._lines(chunk):
            if not line:
                if self._data:
                    events.append("\n".join(self._data))
                self._data = []
                continue
            name, _, value = line.decode("utf-8", "replace").partition(":")
            if name == "data":
                self._data.append(value.removeprefix(" "))
        return events

    def _lines(self, chunk: bytes) -> list[bytes]:
        if self._after_cr:  # the CR has ended the line already
            chunk = chunk.removeprefix(b"\n")
        self._after_cr = chunk.endswith(b"\r")
        *lines, rest = _LINE_END.split(chunk)
        if lines:
            lines[0] = bytes(self._rest) + lines[0]
            self._rest.clear()
        self._rest += rest
        if len(self._rest) > _MAX_LINE_BYTES:
            raise ClientError(ErrorKind.SERVER, f"a line of more than {_MAX_LINE_BYTES} bytes")
        return lines


class Client:
    """One agent, one token. Use as an async context manager."""

    def __init__(
        self, url: str, token: str | None = None, timeout_s: float = _ANSWER_TIMEOUT_S
    ) -> None:
        self.url = url.rstrip("/")
        self._http = httpx.AsyncClient(
            base_url=self.url,
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=timeout_s,
            trust_env=False,  # a proxy of the environment does not know the plant's network
            verify=ssl.create_default_context(),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self._http.aclose()

    async def site(self) -> SiteOut:
        return await self._get(SiteOut, "/v1/site")

    async def status(self) -> StatusOut:
        return await self._get(StatusOut, "/v1/status")

    async def points(self, select: Sequence[str] = ()) -> list[PointOut]:
        """Points whose address matches one of the glob patterns; all where there is none."""
        return await self._get(list[PointOut], "/v1/points", _selection(select))

    async def point(self, address: str) -> PointOut:
        return await self._get(PointOut, f"/v1/points/{quote(address, safe='')}")

    async def alarms(self) -> list[AlarmOut]:
        return await self._get(list[AlarmOut], "/v1/alarms")

    async def traps(self) -> TrapsOut:
        return await self._get(TrapsOut, "/v1/traps")

    async def racks(self) -> list[RackOut]:
        return await self._get(list[RackOut], "/v1/racks")

    async def devices(self) -> list[DeviceOut]:
        return await self._get(list[DeviceOut], "/v1/devices")

    async def explain(self, address: str) -> ExplainOut:
        return await self._get(ExplainOut, f"/v1/explain/{quote(address, safe='')}")

    async def trend(self, point: str, start: float, end: float, step_s: float) -> TrendOut:
        """A point between two times (UTC seconds) in steps of `step_s`."""
        query = {
            "point": point,
            "from": rfc3339(start),
            "to": rfc3339(end),
            "step": f"{step_s:g}",
        }
        return await self._get(TrendOut, "/v1/trend", query)

    async def usage(self, start: float, end: float) -> UsageOut:
        """PUE, WUE and CUE between two times (UTC seconds)."""
        query = {"from": rfc3339(start), "to": rfc3339(end)}
        return await self._get(UsageOut, "/v1/usage", query)

    async def ack(self, alarm_id: str, occurrence: int, comment: str = "") -> ActionOut:
        return await self._act(alarm_id, "ack", AckIn(occurrence=occurrence, comment=comment))

    async def reset(self, alarm_id: str, occurrence: int, comment: str = "") -> ActionOut:
        return await self._act(alarm_id, "reset", AckIn(occurrence=occurrence, comment=comment))

    async def unshelve(self, alarm_id: str, occurrence: int, comment: str = "") -> ActionOut:
        return await self._act(alarm_id, "unshelve", AckIn(occurrence=occurrence, comment=comment))

    async def shelve(
        self, alarm_id: str, occurrence: int, duration_s: float, reason: str
    ) -> ActionOut:
        body = ShelveIn(occurrence=occurrence, duration_s=duration_s, reason=reason)
        return await self._act(alarm_id, "shelve", body)

    async def reload(self) -> str:
        """Have the agent read its file again; what it said."""
        response = await self._ask("POST", "/v1/reload")
        if response.status_code != httpx.codes.OK:
            raise _refusal(response)
        return _parse(TypeAdapter(dict[str, str]), response.content)["detail"]

    async def events(
        self, select: Sequence[str] = (), last_event_id: int | None = None
    ) -> AsyncGenerator[Event, None]:
        """A snapshot, then what changes, until the agent ends the stream or an error does."""
        headers = {"Accept": "text/event-stream"}
        if last_event_id is not None:
            headers["Last-Event-ID"] = str(last_event_id)
        parser = SseParser()
        try:
            async with self._http.stream(
                "GET",
                "/v1/events",
                params=_selection(select),
                headers=headers,
                timeout=httpx.Timeout(_ANSWER_TIMEOUT_S, read=_SILENCE_TIMEOUT_S),
            ) as response:
                if response.status_code != httpx.codes.OK:
                    await response.aread()
                    raise _refusal(response)
                async for chunk in response.aiter_bytes():
                    for data in parser.feed(chunk):
                        yield _parse(TypeAdapter(Event), data)
        except httpx.HTTPError as error:
            raise self._no_connection(error) from error

    async def follow(
        self, select: Sequence[str] = (), backoff: Backoff | None = None
    ) -> AsyncGenerator[Event | ClientError, None]:
        """Events for ever: an error is told, then after a pause the stream is taken up again."""
        backoff = backoff or Backoff()
        last: int | None = None
        while True:
            try:
                async with aclosing(self.events(select, last)) as events:
                    async for event in events:
                        last = None if event.kind == "resync" else event.seq
                        backoff.reset()
                        yield event
            except ClientError as error:
                yield error
            await asyncio.sleep(backoff.next_s())

    async def _get(self, kind: type[T], path: str, query: Mapping[str, str] | None = None) -> T:
        response = await self._ask("GET", path, query=query)
        if response.status_code != httpx.codes.OK:
            raise _refusal(response)
        return _parse(TypeAdapter(kind), response.content)

    async def _act(
        self, alarm_id: str, verb: Literal["ack", "shelve", "unshelve", "reset"], body: BaseModel
    ) -> ActionOut:
        path = f"/v1/alarms/{quote(alarm_id, safe='')}/{verb}"
        response = await self._ask("POST", path, body=body)
        if response.status_code not in (httpx.codes.OK, httpx.codes.CONFLICT):
            raise _refusal(response)
        try:
            return ActionOut.model_validate_json(response.content)
        except ValidationError as error:
            raise _refusal(response) from error

    async def _ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: BaseModel | None = None,
    ) -> httpx.Response:
        try:
            return await self._http.request(
                method, path, params=query, json=body.model_dump() if body else None
            )
        except httpx.HTTPError as error:
            raise self._no_connection(error) from error

    def _no_connection(self, error: httpx.HTTPError) -> ClientError:
        """Where nobody answered, and what to look at."""
        match error:
            case httpx.ConnectError():
                why = f"{self.url}: nobody answers; is the agent running there (`dcim run FILE`)?"
            case httpx.TimeoutException():
                why = f"{self.url}: no answer in time; the agent hangs or is overloaded"
            case httpx.RemoteProtocolError() | httpx.ReadError():
                why = f"{self.url}: broke off; the agent ended, or it is no agent"
            case _:
                why = f"{self.url}: {str(error) or type(error).__name__}"
        return ClientError(ErrorKind.NO_CONNECTION, why)


def _selection(select: Sequence[str]) -> dict[str, str]:
    return {"select": ",".join(select)} if select else {}


def _parse(adapter: TypeAdapter[T], data: str | bytes) -> T:
    try:
        return adapter.validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ClientError(
            ErrorKind.SERVER, f"an answer of another form: {where} {first['msg']}"
        ) from error


def _refusal(response: httpx.Response) -> ClientError:
    if response.status_code == httpx.codes.UNAUTHORIZED:
        kind = ErrorKind.UNAUTHORISED
    else:
        kind = ErrorKind.SERVER
    return ClientError(kind, f"{response.status_code} {_detail(response)}")


def _detail(response: httpx.Response) -> str:
    try:
        body: Any = response.json()
    except ValueError:
        return response.reason_phrase
    detail = body.get("detail") if isinstance(body, dict) else None
    return detail if isinstance(detail, str) else response.reason_phrase
