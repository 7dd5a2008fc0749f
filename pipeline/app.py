"""The composition root: settings become stages, Faust apps, an HTTP client and a port. The only file that puts parts
together; no rule may enter, and nothing may import it but the console script.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import NoReturn

import structlog

from pipeline.connection import ConnectionProblem, knock
from pipeline.delivery.failure import Refused
from pipeline.delivery.options import Options, Security
from pipeline.delivery.producer import ProducerPool
from pipeline.delivery.stage_app import Parts, make_app
from pipeline.delivery.worker import Worker, run
from pipeline.domain.events import Teller
from pipeline.domain.messages import INTERNAL_TOPICS
from pipeline.domain.origins import AllowList
from pipeline.domain.policy import Policies
from pipeline.domain.requests import Call
from pipeline.domain.tries import Terms
from pipeline.intouch.backoff import backoff_ms
from pipeline.intouch.client import Client
from pipeline.intouch.gate import Gate
from pipeline.metrics import Metrics
from pipeline.observing import counted_calls, counted_steps, surveyed, watched_doors
from pipeline.policy_file import load_policies
from pipeline.postings import partition_of
from pipeline.probes import ProbesError, listening
from pipeline.provision import ProvisionError, compare
from pipeline.settings import Settings, SettingsError, unknown_variables
from pipeline.stages import Headers, Stage
from pipeline.stages.approval import Approval, approval
from pipeline.stages.endings import Endings
from pipeline.stages.execution import Execution, IsAway, execution
from pipeline.stages.inbox import SIGNATURE, Inbox, Undertaker
from pipeline.stages.intake import Intake, intake
from pipeline.stages.validation import Validation, validation
from pipeline.surroundings import Limits
from pipeline.topology import TopologyError, wanted_topics
from pipeline.trust.credentials import open_headers, seal_headers
from pipeline.trust.digest import payload_digest
from pipeline.trust.keys import KeyFile, Keys, SharedSecret
from pipeline.trust.sealing import Purpose, SealBroken, Sealer, Signer, parse_keys
from pipeline.trust.tokens import Tokens, Wanted

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Trust:
    """What this process verifies, seals and signs with."""

    tokens: Tokens
    sealer: Sealer
    signer: Signer

    def stamp(self, topic: str, key: bytes, value: bytes) -> Headers:
        """The signature of an internal message; what the world reads carries none."""
        return ((SIGNATURE, self.signer.sign(topic, key, value)),) if topic in INTERNAL_TOPICS else ()

    def verify(self, topic: str, key: bytes, value: bytes, signature: bytes) -> bool:
        """Did one of our stages write this?"""
        return self.signer.verify(topic, key, value, signature=signature)


def trust_of(settings: Settings) -> Trust:
    """Raises SettingsError by name for keys that are missing or of no use."""
    settings.require_worker()
    assert settings.seal_keys is not None
    try:
        keys = parse_keys(settings.seal_keys.get_secret_value())
    except ValueError as problem:
        raise SettingsError(f"RW_SEAL_KEYS: {problem}.") from None
    return Trust(Tokens(_token_keys(settings), Wanted(**settings.token_rules)), Sealer(keys), Signer(keys))


def _token_keys(settings: Settings) -> Keys:
    if settings.jwt_hs256_secret is not None:
        return SharedSecret(settings.jwt_hs256_secret.get_secret_value().encode())
    assert settings.jwt_jwks_file is not None
    try:
        return KeyFile(settings.jwt_jwks_file)
    except OSError as problem:
        raise SettingsError(f"RW_JWT_JWKS_FILE: {settings.jwt_jwks_file} cannot be read: {problem.strerror}.") from None
    except ValueError as problem:
        raise SettingsError(f"RW_JWT_JWKS_FILE: {problem}.") from None


def allow_list_of(settings: Settings) -> AllowList:
    """Raises SettingsError that names the entry at fault."""
    try:
        return AllowList.parse(",".join(settings.intouch_allowed_hosts))
    except ValueError as problem:
        raise SettingsError(f"RW_INTOUCH_ALLOWED_HOSTS: {problem}.") from None


def nobody_is_away(host: str, *, is_repeatable: bool, attempt: int = 1) -> bool:
    """For stages that are looked at, and do not run."""
    del host, is_repeatable, attempt
    return False


def make_stages(
    settings: Settings, trust: Trust, policies: Policies, is_away: IsAway = nobody_is_away
) -> Mapping[str, Stage]:
    """All four stages by name: pure, so any of them may be left out. `is_away` is asked by execution alone."""
    allowed = allow_list_of(settings)

    def undertaker(stage: str) -> Undertaker:
        return Undertaker(stage, partial(trust.sealer.seal, Purpose.DEAD_LETTER))

    def inbox(stage: str) -> Inbox:
        return Inbox(undertaker(stage), trust.verify, partial(partition_of, count=settings.topic_partitions))

    def teller(stage: str) -> Teller:
        return Teller(stage, settings.progress_events, settings.checker_id_on_status_change)

    stages = (
        intake(
            Intake(
                trust.tokens.read,
                partial(seal_headers, trust.sealer),
                payload_digest,
                undertaker("intake"),
                teller("intake"),
            )
        ),
        validation(
            inbox=inbox("validation"),
            parts=Validation(policies, allowed, payload_digest, teller("validation")),
        ),
        approval(
            inbox=inbox("approval"),
            parts=Approval(policies, settings.remember_s * 1000, undertaker("approval"), teller("approval")),
        ),
        execution(
            inbox=inbox("execution"),
            parts=Execution(
                allowed,
                payload_digest,
                partial(can_open, trust.sealer),
                terms_of(settings),
                is_away,
                undertaker("execution"),
                Endings(teller("execution")),
            ),
        ),
    )
    return {stage.name: stage for stage in stages}


def terms_of(settings: Settings) -> Terms:
    """How often and for how long a call is tried, held and remembered."""
    return Terms(
        max_attempts=settings.intouch_max_attempts,
        retry_for_ms=settings.intouch_retry_for_s * 1000,
        hold_ms=settings.intouch_hold_s * 1000,
        good_for_ms=settings.approved_for_s * 1000,
        remember_ms=settings.remember_s * 1000,
    )


def options_of(settings: Settings) -> Options:
    """What the delivery layer is told, as plain values."""
    password = settings.kafka_sasl_password
    return Options(
        bootstrap=settings.kafka_bootstrap_servers,
        security=Security(
            protocol=settings.kafka_security_protocol,
            mechanism=settings.kafka_sasl_mechanism,
            username=settings.kafka_sasl_username,
            password=password.get_secret_value() if password else None,
            ca_file=str(settings.kafka_ssl_ca_file) if settings.kafka_ssl_ca_file else None,
        ),
        prefix=settings.topic_prefix,
        partitions=settings.topic_partitions,
        session_s=settings.kafka_session_timeout_s,
        call_s=settings.intouch_timeout_s,
        limits=Limits(slots=settings.intouch_max_in_flight, group=min(64, settings.intouch_max_in_flight)),
    )


def run_worker(settings: Settings, stages: Sequence[str]) -> NoReturn:
    """Runs these stages in this process until SIGTERM or SIGINT; leaves with the exit code that fits (section 10)."""
    run(partial(_work, settings, tuple(stages)))


async def _work(settings: Settings, names: tuple[str, ...]) -> None:
    try:
        trust, policies = trust_of(settings), load_policies(settings.request_types_file)
        metrics = Metrics(names, sorted(allow_list_of(settings)))
        gate = gate_of(settings, metrics)
        stages = make_stages(settings, trust, policies, gate.is_away)
        await knock(settings)
        await check_topics(settings)
    except (SettingsError, TopologyError, ConnectionProblem, ProvisionError) as problem:
        raise Refused(str(problem)) from None
    for warning in (*unknown_variables(), *policies.warnings()):
        log.warning("settings", detail=warning)
    async with AsyncExitStack() as stack:
        caller = None
        if "execution" in names:
            client = await stack.enter_async_context(_client(settings, trust))
            caller = counted_calls(client, metrics, time.monotonic)
        parts = Parts(ProducerPool(options_of(settings)), trust.stamp, metrics, caller, gate)
        await _run_apps(settings, [stages[name] for name in names], parts, metrics)


async def _run_apps(settings: Settings, stages: Sequence[Stage], parts: Parts, metrics: Metrics) -> None:
    options = options_of(settings)
    apps = [
        make_app(
            stage,
            options,
            replace(parts, observe=counted_steps(stage.name, metrics), survey=surveyed(stage.name, metrics, _now_ms)),
        )
        for stage in stages
    ]
    worker = Worker(apps, options)
    worker.hear_signals()  # before the port is told: whoever sees it may send one
    try:
        async with listening(settings, metrics, lambda: (worker.facts(), worker.lateness.worst_s())):
            await worker.run()
    except ProbesError as problem:
        raise Refused(str(problem)) from None


async def check_topics(settings: Settings) -> None:
    """Raises ProvisionError with the list when a topic is missing or differs from what the worker relies on."""
    differences = await compare(settings, wanted_topics(settings))
    if differences:
        lines = "\n".join(f"  {difference}" for difference in differences)
        is_missing = any(difference.is_missing for difference in differences)
        makes = "`request-workflow topics create` makes what is missing"
        mend = makes if is_missing else "change the topics, or the settings that they follow"
        raise ProvisionError(f"The topics are not as the worker needs them; {mend}:\n{lines}")


def gate_of(settings: Settings, metrics: Metrics) -> Gate:
    """One for the whole process: what one stage's fold asks is what its pump keeps."""
    return Gate(
        time.monotonic,
        origins=allow_list_of(settings),
        per_origin=settings.intouch_max_per_origin,
        rate=settings.intouch_rate_per_origin,
        tell=watched_doors(metrics),
    )


def can_open(sealer: Sealer, call: Call) -> bool:
    """Do our keys open the call's credentials? Where none does, the log says which one is missing.

    Mostly an operator took a key away too early (`keys status` tells when it may go). The call is not made and ends in
    `failed`, reason `bad-header`: to wait for the key would keep people waiting for an operator who may never come.
    Asked before an intent is written, so that nothing of it is ever in doubt.
    """
    try:
        open_headers(sealer, call)
    except SealBroken as broken:
        log.error("not called", request_id=call.request_id, detail=str(broken))  # noqa: TRY400 - the sentence says it
        return False
    return True


def _client(settings: Settings, trust: Trust) -> Client:
    return Client(
        allowed=allow_list_of(settings),
        open_headers=partial(open_headers, trust.sealer),
        time_ms=_now_ms,
        timeout_s=settings.intouch_timeout_s,
        connections=settings.intouch_max_in_flight,
        backoff_ms=backoff_ms,
    )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
