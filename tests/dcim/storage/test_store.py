"""Names of stores."""

import pytest

from dcim.storage.store import parse_store


@pytest.mark.parametrize(
    ("text", "kind", "where"),
    [
        ("embedded:data", "embedded", ("data", "", "", "")),
        ("embedded:/var/lib/dcim", "embedded", ("/var/lib/dcim", "", "", "")),
        ("influx://10.0.0.1:8086/o/b", "influx", ("", "http://10.0.0.1:8086", "o", "b")),
        ("influxs://db.example/o/b/c", "influx", ("", "https://db.example", "o", "b/c")),
    ],
)
def test_a_store_is_named_by_one_line(text, kind, where):
    found = parse_store(text)
    assert (found.kind, (found.directory, found.url, found.org, found.bucket)) == (kind, where)


@pytest.mark.parametrize(
    "text",
    ["", "embedded:", "data", "influx://h:1/org", "influx:h/o/b", "sqlite:x", "influx:///o/b"],
)
def test_what_is_no_store_is_said_with_what_is_expected(text):
    with pytest.raises(ValueError, match="expected embedded:DIR or influx://HOST:PORT/ORG/BUCKET"):
        parse_store(text)


def test_a_token_in_the_name_is_refused_and_not_repeated():
    with pytest.raises(ValueError, match="token_env") as refused:
        parse_store("influx://secret@host/o/b")
    assert "secret" not in str(refused.value)
