"""Who may do what; alarms acted upon by the token's user and nobody else."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest

from dcim.api.auth import Authority, Busy, hash_token, new_token, verify_token
from dcim.config import User
from dcim.model.alarm import AlarmState
from tests.dcim.api.running import HASHES, ROLES, TOKENS, VOLTAGE, WET, Running, bearer

ALARM = f"leak@{WET}"
READS = [
    "/v1/points",
    f"/v1/points/{VOLTAGE}",
    "/v1/alarms",
    "/v1/racks",
    "/v1/devices",
    "/v1/site",
    "/v1/status",
    f"/v1/trend?point={VOLTAGE}",
    f"/v1/explain/{VOLTAGE}",
    "/openapi.json",
]
ACTIONS = {
    "ack": {"occurrence": 1, "comment": "on my way"},
    "reset": {"occurrence": 1},
    "shelve": {"occurrence": 1, "duration_s": 600, "reason": "rope is being replaced"},
    "unshelve": {"occurrence": 1},
}


@pytest.mark.parametrize("path", [*READS, "/v1/events"])
async def test_reading_needs_a_token(http: httpx.AsyncClient, path: str):
    answer = await http.get(path)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "Authorization: Bearer" in answer.json()["detail"]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("path", READS)
async def test_every_role_reads(http: httpx.AsyncClient, path: str, role: str):
    assert (await http.get(path, headers=bearer(role))).status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        "Bearer dcim_wrong",
        "Bearer wrong",
        "Bearer",
        "Bearer dcim_" + "x" * 1000,
        "Basic dXNlcjpwYXNz",
        f"Bearer {TOKENS['viewer']}x",
        f"Token {TOKENS['viewer']}",
    ],
)
async def test_a_wrong_token_is_401(http: httpx.AsyncClient, header: str):
    answer = await http.get("/v1/status", headers={"Authorization": header})
    assert answer.status_code == 401


@pytest.mark.parametrize("verb", ACTIONS)
async def test_a_viewer_changes_nothing(running: Running, http: httpx.AsyncClient, verb: str):
    running.leak("wet")
    answer = await http.post(
        f"/v1/alarms/{ALARM}/{verb}", json=ACTIONS[verb], headers=bearer("viewer")
    )
    assert answer.status_code == 403
    assert answer.json()["detail"] == "viewer is a viewer; this needs operator"
    alarm = running.alarms.get(ALARM)
    assert alarm is not None
    assert alarm.state is AlarmState.UNACK


@pytest.mark.parametrize("verb", ACTIONS)
async def test_an_action_needs_a_token(running: Running, http: httpx.AsyncClient, verb: str):
    running.leak("wet")
    answer = await http.post(f"/v1/alarms/{ALARM}/{verb}", json=ACTIONS[verb])
    assert answer.status_code == 401


async def test_an_acknowledgement_carries_the_tokens_user(
    running: Running, http: httpx.AsyncClient
):
    running.leak("wet")
    path = f"/v1/alarms/{ALARM}/ack"
    done = (await http.post(path, json=ACTIONS["ack"], headers=bearer("operator"))).json()
    assert done["result"] == "accepted"
    assert done["alarm"]["ack_by"] == "operator"
    assert done["alarm"]["comment"] == "on my way"
    assert done["alarm"]["path"] == ["site-1", "hall-1", "row-1", "rack-r01", "leak-r01"]
    again = await http.post(path, json=ACTIONS["ack"], headers=bearer("supervisor"))
    assert (again.status_code, again.json()["result"]) == (200, "already")
    assert again.json()["alarm"]["ack_by"] == "operator"


async def test_another_occurrence_is_409(running: Running, http: httpx.AsyncClient):
    running.leak("wet")
    answer = await http.post(
        f"/v1/alarms/{ALARM}/ack", json={"occurrence": 7}, headers=bearer("operator")
    )
    assert (answer.status_code, answer.json()["result"]) == (409, "returned")
    assert answer.json()["detail"] == "that occurrence is over"
    assert answer.json()["alarm"]["occurrence"] == 1


async def test_shelve_unshelve_and_what_is_refused(running: Running, http: httpx.AsyncClient):
    running.leak("wet")
    http.headers.update(bearer("operator"))
    shelved = (await http.post(f"/v1/alarms/{ALARM}/shelve", json=ACTIONS["shelve"])).json()
    assert shelved["result"] == "accepted"
    assert shelved["alarm"]["shelved_until"] is not None
    assert [a["id"] for a in (await http.get("/v1/alarms")).json()] == [ALARM]
    back = (await http.post(f"/v1/alarms/{ALARM}/unshelve", json={"occurrence": 1})).json()
    assert (back["result"], back["alarm"]["shelved_until"]) == ("accepted", None)
    refused = await http.post(f"/v1/alarms/{ALARM}/reset", json={"occurrence": 1})
    assert (refused.status_code, refused.json()["result"]) == (409, "refused")
    assert "whose condition is gone" in refused.json()["detail"]


@pytest.mark.parametrize("verb", ACTIONS)
async def test_an_alarm_that_never_stood_is_404(http: httpx.AsyncClient, verb: str):
    answer = await http.post(
        "/v1/alarms/leak@nowhere/leak/" + verb, json=ACTIONS[verb], headers=bearer("operator")
    )
    assert answer.status_code == 404
    assert answer.json()["detail"] == "no alarm 'leak@nowhere/leak'"


@pytest.mark.parametrize(
    ("verb", "body", "said"),
    [
        ("ack", {}, "body.occurrence: Field required"),
        ("ack", {"occurrence": -1}, "body.occurrence"),
        ("ack", {"occurrence": "one"}, "body.occurrence"),
        ("ack", {"occurrence": 1, "comment": "x" * 1001}, "body.comment"),
        ("ack", {"occurrence": 1, "actor": "root"}, "body.actor: Extra inputs"),
        ("shelve", {"occurrence": 1, "duration_s": 0, "reason": "x"}, "body.duration_s"),
        ("shelve", {"occurrence": 1, "duration_s": 60, "reason": ""}, "body.reason"),
        ("shelve", [1, 2], "body: Input should be"),
    ],
)
async def test_a_body_of_another_form_is_422_and_changes_nothing(
    running: Running, http: httpx.AsyncClient, verb: str, body: object, said: str
):
    running.leak("wet")
    answer = await http.post(f"/v1/alarms/{ALARM}/{verb}", json=body, headers=bearer("operator"))
    assert answer.status_code == 422
    assert said in answer.json()["detail"]
    alarm = running.alarms.get(ALARM)
    assert alarm is not None
    assert alarm.seq == 1


async def test_a_body_without_end_is_refused(running: Running, http: httpx.AsyncClient):
    running.leak("wet")

    async def chunks() -> AsyncIterator[bytes]:
        yield b'{"occurrence": 1}'
        for _ in range(100):
            yield b" " * 1024

    answer = await http.post(
        f"/v1/alarms/{ALARM}/ack", content=chunks(), headers=bearer("operator")
    )
    assert answer.status_code == 413
    alarm = running.alarms.get(ALARM)
    assert alarm is not None
    assert alarm.state is AlarmState.UNACK


async def test_reload_is_for_supervisors(running: Running, http: httpx.AsyncClient):
    async def reload() -> str:
        if running.agent.timezone == "faulty":
            raise ValueError("dcim.toml:3: found nothing good")
        return "dcim.toml: 2 devices"

    assert (await http.post("/v1/reload", headers=bearer("supervisor"))).status_code == 409
    running.agent.reload = reload
    assert (await http.post("/v1/reload", headers=bearer("operator"))).status_code == 403
    done = await http.post("/v1/reload", headers=bearer("supervisor"))
    assert (done.status_code, done.json()) == (200, {"detail": "dcim.toml: 2 devices"})
    running.agent.timezone = "faulty"
    faulty = await http.post("/v1/reload", headers=bearer("supervisor"))
    assert (faulty.status_code, faulty.json()["detail"]) == (409, "dcim.toml:3: found nothing good")


async def test_a_user_who_is_taken_away_is_out_at_once(running: Running, http: httpx.AsyncClient):
    assert (await http.get("/v1/status", headers=bearer("viewer"))).status_code == 200
    running.agent.users = tuple(u for u in running.agent.users if u.name != "viewer")
    assert (await http.get("/v1/status", headers=bearer("viewer"))).status_code == 401


def test_a_token_fits_its_hash_only():
    token = new_token()
    assert token.startswith("dcim_")
    assert token != new_token()
    hashed = hash_token(token)
    assert verify_token(token, hashed)
    assert not verify_token(token + "x", hashed)
    assert token not in hashed
    assert hash_token(token) != hashed


async def test_a_verified_token_is_not_hashed_again():
    authority = Authority()
    user = User("lin", "viewer", HASHES["viewer"])
    users = (user,)
    assert await authority.user(TOKENS["viewer"], users) is user
    # nobody could verify against this hash: the answer comes from what was seen before
    object.__setattr__(user, "token_hash", "spoilt")
    assert await authority.user(TOKENS["viewer"], users) is user


async def test_new_users_are_looked_at_anew():
    authority = Authority()
    user = User("lin", "viewer", HASHES["viewer"])
    assert await authority.user(TOKENS["viewer"], (user,)) is user
    promoted = replace(user, role="operator")
    assert await authority.user(TOKENS["viewer"], (promoted,)) is promoted
    assert await authority.user(TOKENS["viewer"], ()) is None


async def test_a_flood_of_unknown_tokens_is_turned_away():
    authority = Authority()
    users = (User("lin", "viewer", HASHES["viewer"]),)
    asked = [authority.user(f"dcim_{n}", users) for n in range(40)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(isinstance(answer, Busy) for answer in answers) == 24
    assert answers[:16] == [None] * 16


HOSTILE = [
    b"GET /v1/points/%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /v1/points/" + b"a" * 60_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /v1/points?select=%ff%fe%00 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST /v1/alarms/%00/ack HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
    b"GET /v1/status HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer dcim_\xff\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00",
    b"BREW /v1/points HTTP/1.1\r\nHost: x\r\n\r\n",
]


@pytest.mark.parametrize("request_", HOSTILE)
async def test_nonsense_on_the_socket_is_refused_and_hurts_nobody(
    running: Running, served: httpx.AsyncClient, request_: bytes
):
    token = f"\r\nAuthorization: Bearer {TOKENS['viewer']}\r\n\r\n".encode()
    if b"Authorization" not in request_:
        request_ = request_.removesuffix(b"\r\n\r\n") + token
    async with asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
        writer.write(request_)
        writer.write_eof()
        answer = await reader.read(200)
        writer.close()
    refused = (b"HTTP/1.1 400", b"HTTP/1.1 401", b"HTTP/1.1 404", b"HTTP/1.1 405", b"HTTP/1.1 422")
    assert answer.startswith((*refused, b"HTTP/1.1 200 OK")) or not answer
    assert b"HTTP/1.1 5" not in answer
    assert (await served.get("/v1/status", headers=bearer("viewer"))).status_code == 200
