"""The process around the stages: exit codes, limits that nest, and what it says of itself."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from types import SimpleNamespace

import pytest
from delivery.doubles import NoStamp, Paper
from delivery.rigs import OPTIONS, HardenedRig
from delivery.trial import trial_stage

from pipeline.delivery.failure import DeliveryError, Refused, sentence
from pipeline.delivery.options import RECORD_BYTES, Options, Security, faust_settings
from pipeline.delivery.producer import ProducerPool, producer_settings
from pipeline.delivery.stage_app import Facts, Parts, make_app
from pipeline.delivery.worker import TICK_S, Lateness

RUN = """
import sys
from pipeline.delivery.failure import Refused
from pipeline.delivery.worker import run

async def main():
    {body}

run(main)
"""


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        ("pass", 0, ""),
        ("raise Refused('topic x is missing')", 1, "topic x is missing\n"),
        ("raise KeyError('a secret')", 70, ""),
    ],
)
def test_exit_codes(body, code, said):
    """0 when all went well, 1 with one sentence for a refusal, 70 for a surprise, which is never quoted."""
    command = [sys.executable, "-c", RUN.format(body=body)]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)

    assert (ended.returncode, ended.stderr) == (code, said)
    assert "a secret" not in ended.stdout


def test_an_exceptions_text_is_quoted_only_if_it_is_ours():
    """An unknown exception may quote a message, and messages hold secrets."""
    assert sentence(DeliveryError("the lease is gone")) == "DeliveryError: the lease is gone"
    assert sentence(ValueError("Bearer obviously-fake")) == "ValueError"


@pytest.mark.parametrize("call_s", [1, 35, 120])
def test_limits_nest(call_s):
    """Call < revocation < rebalance < request, drain beyond the call, heartbeat well within the session."""
    options = Options(("127.0.0.1:1",), call_s=call_s)
    settings = faust_settings(options)

    assert call_s < options.revoke_s < options.rebalance_s < settings["broker_request_timeout"]
    assert options.drain_s == call_s + 10
    assert options.heartbeat_s * 3 <= options.session_s <= settings["broker_request_timeout"]
    assert options.late_writes_s == 3 * options.session_s


def test_the_largest_record_fits_everywhere():
    """What a topic takes can be fetched, and sent."""
    assert faust_settings(OPTIONS)["consumer_max_fetch_size"] >= RECORD_BYTES
    assert producer_settings(OPTIONS)["max_request_size"] == RECORD_BYTES


def test_a_password_is_in_no_repr():
    """Whoever logs the options logs no password."""
    security = Security("SASL_PLAINTEXT", "PLAIN", "maker", "obviously-fake")

    assert "obviously-fake" not in repr(Options(("x:1",), security=security))


def test_a_login_reaches_every_client():
    """User, password and mechanism are handed to the Kafka clients by the names they know."""
    security = Security("SASL_PLAINTEXT", "SCRAM-SHA-512", "user", "obviously-fake")
    client = Options(("x:1",), security=security).client()

    wanted = {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "SCRAM-SHA-512", "sasl_plain_username": "user"}
    assert {name: client[name] for name in wanted} == wanted
    assert client["sasl_plain_password"] == "obviously-fake"


@pytest.mark.parametrize("protocol", ["SSL", "SASL_SSL"])
def test_tls_verifies_the_broker(protocol):
    """With TLS the broker's certificate is verified."""
    client = Options(("x:1",), security=Security(protocol, "PLAIN", "user", "obviously-fake")).client()

    assert client["security_protocol"] == protocol
    assert client["ssl_context"].check_hostname


@pytest.mark.parametrize(
    ("security", "said"),
    [(Security("SASL_SSL", "PLAIN"), "username and a password"), (Security("SSL", ca_file="/no/such/file"), "CA file")],
)
def test_a_login_that_does_not_fit_is_refused(security, said):
    """What is missing is named before anything is started."""
    with pytest.raises(Refused, match=said):
        security.credentials()


async def test_facts_of_a_stage():
    """A stage that has its partition says so, how long the lease lasts, and how much lies before it."""
    rig = HardenedRig()
    before = rig.app.facts()
    await rig.begin(range(5))
    await rig.fetch()
    rig.finish(0, 1)
    rig.consumer.progress.committable()
    rig.app.tables.recovery.completed.set()

    facts = rig.app.facts()

    assert before == Facts(False, 0, 0.0, OPTIONS.session_s, 0.0, 0)
    assert (facts.is_ready, facts.partitions, facts.lag_records) == (True, 1, 3)
    assert 0 < facts.lease_s <= OPTIONS.session_s


async def test_not_ready_while_rebalancing():
    """During a rebalance a stage is not ready, whatever it held before."""
    rig = HardenedRig()
    await rig.begin(range(5))
    rig.app.tables.recovery.completed.set()
    ready = rig.app.is_ready()
    rig.app.rebalancing = True

    assert (ready, rig.app.is_ready()) == (True, False)


async def test_names():
    """Group and changelog carry the prefix, and the names that operators were told."""
    options = Options(("127.0.0.1:1",), prefix="t.")
    app = make_app(trial_stage(), options, Parts(ProducerPool(options), NoStamp(), Paper()))

    assert app.conf.id == "t.rw-trial"
    assert [table.changelog for table in app.memory] == ["t.trial.memory"]


async def test_tables_are_written_by_the_pump_alone():
    """A plain assignment to a table, which would be written fire-and-forget, is refused."""
    app = make_app(trial_stage(), OPTIONS, Parts(ProducerPool(OPTIONS), NoStamp(), Paper()))

    with pytest.raises(TypeError, match="only the pump"):
        app.memory[0][b"k"] = b"v"
    with pytest.raises(TypeError, match="only the pump"):
        del app.memory[0][b"k"]


async def test_memory_that_is_not_loaded_is_not_guessed():
    """Asking for a partition that is not ours is an error, not an empty memory."""
    app = make_app(trial_stage(), OPTIONS, Parts(ProducerPool(OPTIONS), NoStamp(), Paper()))

    with pytest.raises(DeliveryError, match="not loaded"):
        app.pump.around.tables[0].recall(0, b"k")


async def test_lateness_of_the_loop():
    """A loop that was held up says by how much."""
    lateness = Lateness()
    measuring = asyncio.ensure_future(lateness.measure())
    await asyncio.sleep(0)
    blocked = SimpleNamespace(until=asyncio.get_running_loop().time() + TICK_S + 0.2)
    while asyncio.get_running_loop().time() < blocked.until:
        pass  # what must not happen in a worker
    async with asyncio.timeout(5):
        while not lateness.worst_s():  # noqa: ASYNC110 - a figure, no event
            await asyncio.sleep(0)
    measuring.cancel()

    assert 0.15 < lateness.worst_s() < 2
