"""Apprise against real servers on the loopback interface."""

from __future__ import annotations

import base64
import logging
import socket
from email.message import EmailMessage
from typing import Any

import pytest

from spatial_pipeline.alert.channels import AppriseChannel, channels
from spatial_pipeline.alert.incidents import observe
from spatial_pipeline.alert.message import Attachment, Exhibit, Links, Message, compose
from spatial_pipeline.errors import ContractError
from spatial_pipeline_tests.alert.cases import fact, seen
from spatial_pipeline_tests.alert.receivers import post, web

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="
)
EXHIBIT = Exhibit("version v0", PNG, Attachment("roads_p1_violations.gpkg", b"SQLite"))


def message() -> Message:
    _, changes = observe({}, seen(1_700_000_000.0, fact()))
    return compose(changes[0].id, changes, Links("https://dagster.example.org/"), EXHIBIT)


def test_a_webhook_gets_words_facts_picture_and_the_id() -> None:
    with web() as receiver:
        assert AppriseChannel("hook", receiver.url).send(message()) is None
        assert AppriseChannel("hook", receiver.url).send(message()) is None
    first, second = receiver.received
    assert first["alert_id"] == second["alert_id"] == message().id
    assert first["title"] == "roads[p1] is held: unique fails"
    assert first["type"] == "failure"
    (told,) = first["alerts"]
    assert (told["dataset"], told["partition"], told["name"]) == ("roads", "p1", "unique")
    assert told["links"]["run"] == "https://dagster.example.org/runs/run-1"
    assert base64.b64decode(first["attachments"][0]["base64"]) == PNG
    assert first["attachments"][1]["filename"] == "roads_p1_violations.gpkg"


def test_a_mail_carries_the_id_as_its_message_id() -> None:
    with post() as receiver:
        for _ in range(2):
            assert AppriseChannel("mail", receiver.url).send(message()) is None
    ids = [str(m["Message-ID"]) for m in receiver.received]
    assert ids == [f"<{message().id}@spatial-pipeline.alerts>"] * 2
    mail: Any = receiver.received[0]
    assert isinstance(mail, EmailMessage)
    assert len(mail.get_all("Message-ID")) == 1
    assert mail["Subject"] == "roads[p1] is held: unique fails"
    parts = {p.get_content_type(): p for p in mail.walk()}
    assert "1603607.55, 6463658.73" in parts["text/html"].get_content()
    assert parts["image/png"].get_content() == PNG


def test_a_refusal_is_told_without_secrets(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with web() as receiver:
        receiver.down = True
        url = receiver.url.replace("json://", "json://user:topsecret@") + "/tokentoken"
        channel = AppriseChannel("hook", url)
        error = channel.send(message())
    assert error is not None
    assert "503" in error
    said = f"{error} {channel!r} {caplog.text}"
    assert "topsecret" not in said
    assert "tokentoken" not in said


def test_nobody_there() -> None:
    with web() as receiver:
        url = receiver.url
    assert AppriseChannel("hook", url).send(message()) is not None


def test_a_channel_that_never_answers_is_given_up() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        url = f"json://127.0.0.1:{deaf.getsockname()[1]}/"
        error = AppriseChannel("hook", url, limit_s=0.2).send(message())
    assert error == "no answer within 0.2 s"


@pytest.mark.parametrize(
    ("written", "names"),
    [
        (None, []),
        ("  ", []),
        ("json://a", ["json"]),
        ("json://a, json://b xml://c", ["json", "json-2", "xml"]),
        (
            "gis=json://a,ops=mailto://h?from=a@example.org&to=b@example.org,c@example.org",
            ["gis", "ops"],
        ),
        ('["json://a", "gis=json://b"]', ["json", "gis"]),
        ('{"gis": "json://a", "ops": "json://b"}', ["gis", "ops"]),
    ],
)
def test_the_variable(written: str | None, names: list[str]) -> None:
    assert [c.name for c in channels(written)] == names


def test_commas_inside_a_url_stay() -> None:
    (only,) = channels("mailto://h?from=a@example.org&to=b@example.org,c@example.org")
    assert only.url.endswith("b@example.org,c@example.org")


@pytest.mark.parametrize(
    "written", ["topsecret", "nonsense://topsecret", "[", "[1]", "a=json://x,a=json://y"]
)
def test_a_wrong_variable_is_told_without_its_value(written: str) -> None:
    with pytest.raises(ContractError, match="SPATIAL_ALERT_URLS") as caught:
        channels(written)
    assert "topsecret" not in str(caught.value)
