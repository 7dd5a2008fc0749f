"""Every setting, its default and its meaning; the only reader of the environment (contract, section 11).

A setting is a variable with the prefix RW_, from the environment or a `.env` file in the working directory; each secret
can also come from a mounted file (`RW_…_FILE`). Nothing is started here, and no rule of the pipeline may enter. What
only the worker needs may be absent, so that `topics` and `watch` run without secrets: the worker asks for it.
"""

from __future__ import annotations

import base64
import binascii
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from pipeline.domain.origins import AllowList
from pipeline.environment import ENV_FILE, PREFIX, EnvironmentFault, check_environment, slips

STAGES = ("intake", "validation", "approval", "execution")
SECRETS = ("kafka_sasl_password", "jwt_hs256_secret", "seal_keys")
SECRET_FILE_MAX = 65_536  # bytes
_SERVER = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^.:/@\s]{1,63}(\.[^.:/@\s]{1,63})*\.?):(?P<port>[0-9]{1,5})")


class SettingsError(Exception):
    """A setting is wrong or missing; the message is one sentence that names the variable, never a secret's value."""


def _split(value: Any) -> Any:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


Texts = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
Seconds = Annotated[int, Field(ge=1, le=10 * 366 * 86400)]
MountedFile = Annotated[Path | None, Field(exclude=True, repr=False)]


class Settings(BaseSettings):
    """The settings in force. Times are seconds where the name ends in `_s`."""

    model_config = SettingsConfigDict(
        frozen=True, env_prefix=PREFIX, env_ignore_empty=True, extra="ignore", hide_input_in_errors=True
    )

    kafka_bootstrap_servers: Annotated[Texts, Field(min_length=1)] = Field(
        ("127.0.0.1:9092",), description="Kafka brokers, host:port, comma separated"
    )
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="how the brokers are spoken to"
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = Field(
        None, description="how to log in, for the SASL protocols"
    )
    kafka_sasl_username: str | None = Field(None, description="who logs in")
    kafka_sasl_password: SecretStr | None = Field(None, description="its password")
    kafka_ssl_ca_file: Path | None = Field(
        None, description="PEM file of the CA that signed the brokers; else the system's"
    )
    topic_prefix: str = Field(
        "", pattern=r"^[A-Za-z0-9._-]{0,100}$", description="put before every topic and group name as it is"
    )
    topic_partitions: int = Field(12, ge=1, le=1000, description="wanted partitions of every topic")
    topic_replication: int = Field(1, ge=1, le=10, description="wanted replicas of every topic")
    stages: Texts = Field(STAGES, description="what this worker runs")
    jwt_hs256_secret: SecretStr | None = Field(
        None, description="the key of all tokens, at least 32 bytes; or a JWKS file"
    )
    jwt_jwks_file: Path | None = Field(None, description="public keys of all tokens, reloaded when it changes")
    jwt_issuer: str | None = Field(None, description="checked when set")
    jwt_audience: str | None = Field(None, description="checked when set")
    jwt_max_age_s: Seconds = Field(86400, description="how long after publication a token may expire at most")
    jwt_claim_user: str = Field("sub", min_length=1, description="claim with the user's id")
    jwt_claim_name: str = Field("name", min_length=1, description="claim with the user's name")
    jwt_claim_org: str = Field("orgId", min_length=1, description="claim with the org's id")
    jwt_claim_permissions: str = Field("permissions", min_length=1, description="claim with the list of rights")
    jwt_claim_entities: str = Field("entities", min_length=1, description="claim with the org units a user may act for")
    seal_keys: SecretStr | None = Field(None, description="base64 keys of 32 or 64 bytes; the first seals, all open")
    intouch_allowed_hosts: Texts = Field((), description="origins that may be called, scheme://host[:port]; none: none")
    intouch_timeout_s: float = Field(35, gt=0, le=300, description="total time of one call")
    intouch_max_in_flight: int = Field(64, ge=1, le=10_000, description="calls at the same time, per process")
    intouch_max_per_origin: int = Field(10_000, ge=1, le=10_000, description="of these, to the same origin")
    intouch_rate_per_origin: float = Field(0, ge=0, le=100_000, description="calls begun per second and origin; 0: any")
    intouch_max_attempts: int = Field(6, ge=1, le=100, description="attempts of one call")
    intouch_retry_for_s: Seconds = Field(60, description="how long after the first attempt a call may be tried again")
    intouch_hold_s: Seconds = Field(3600, description="how long a request waits for an origin that is away")
    remember_s: Seconds = Field(604_800, description="how long a finished request is remembered")
    retention_s: Seconds = Field(259_200, description="how long the input topics keep a record")
    segment_s: Seconds = Field(86400, description="how long a topic's segment grows; records live this much longer")
    approved_for_s: Seconds = Field(86400, description="how long an approval is good for a first call")
    kafka_session_timeout_s: int = Field(20, ge=6, le=1800, description="how long a dead worker's partitions wait")
    progress_events: bool = Field(True, description="tell ValidateMakerAccess, ValidatePayload, IntouchAPITask, too")
    checker_id_on_status_change: bool = Field(False, description="checkerId in events of status changes, too")
    request_types_file: Path | None = Field(None, description="TOML with the policy per request type")
    http_host: str = Field("0.0.0.0", min_length=1, description="where /metrics, /livez and /readyz listen")  # noqa: S104 - pods are probed from outside
    http_port: int = Field(8080, ge=0, le=65535, description="their port; 0 = any free one, logged at start")
    log_format: Literal["json", "console"] = Field("json", description="console is for people")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="what is logged at least")
    kafka_sasl_password_file: MountedFile = None
    jwt_hs256_secret_file: MountedFile = None
    seal_keys_file: MountedFile = None

    @model_validator(mode="before")
    @classmethod
    def _read_mounted(cls, given: dict[str, Any]) -> dict[str, Any]:
        return given | {secret: _mounted(given, secret) for secret in SECRETS if given.get(f"{secret}_file")}

    @field_validator("kafka_bootstrap_servers")
    @classmethod
    def _check_servers(cls, servers: tuple[str, ...]) -> tuple[str, ...]:
        for server in servers:
            parts = _SERVER.fullmatch(server)
            if parts is None or not 0 < int(parts["port"]) <= 65_535:  # noqa: PLR2004 - what a port is
                raise ValueError(f"{_quoted(server, servers)} is not host:port")
        return servers

    @field_validator("stages")
    @classmethod
    def _check_stages(cls, stages: tuple[str, ...]) -> tuple[str, ...]:
        if not stages or len(set(stages)) < len(stages) or not set(stages) <= set(STAGES):
            raise ValueError(f"must name some of {', '.join(STAGES)}, each once, not {','.join(stages)!r}")
        return stages

    @field_validator("intouch_allowed_hosts")
    @classmethod
    def _check_hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        for host in hosts:
            if "@" in host:
                raise ValueError(f"{_quoted(host, hosts)} is not scheme://host[:port] without user, path or query")
        return tuple(sorted(AllowList.parse(",".join(hosts))))

    @field_validator("jwt_hs256_secret")
    @classmethod
    def _check_secret(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and len(secret.get_secret_value().encode()) < 32:  # noqa: PLR2004 - contract, section 6
            raise ValueError("must be at least 32 bytes long")
        return secret

    @field_validator("seal_keys")
    @classmethod
    def _check_keys(cls, keys: SecretStr | None) -> SecretStr | None:
        for number, key in enumerate(_split(keys.get_secret_value()) if keys else (), start=1):
            if _decoded_length(key) not in (32, 64):
                raise ValueError(f"key {number} must be standard base64 of 32 or 64 bytes (make one: `keys new`)")
        return keys

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        for broken in (self._wrong_terms(), self._wrong_login(), self._wrong_tokens()):
            if broken:
                raise ValueError(broken)
        return self

    def _wrong_terms(self) -> str | None:
        """A record can be read again for as long as it lies in its topic, so it must be remembered for longer."""
        least = self.retention_s + self.segment_s + max(60, self.segment_s)
        if self.remember_s <= least:
            return (
                f"RW_REMEMBER_S ({self.remember_s}) must exceed RW_RETENTION_S + RW_SEGMENT_S + max(60, RW_SEGMENT_S)"
                f" ({least}), or a request could be forgotten while its submission can still be read again"
            )
        return None

    def _wrong_login(self) -> str | None:
        protocol = self.kafka_security_protocol
        sasl = ("kafka_sasl_mechanism", "kafka_sasl_username", "kafka_sasl_password")
        for field in sasl:
            if (getattr(self, field) is not None) != protocol.startswith("SASL"):
                verb = "must be set" if protocol.startswith("SASL") else "would not be used"
                return f"{variable(field)} {verb} with RW_KAFKA_SECURITY_PROTOCOL={protocol}"
        if self.kafka_ssl_ca_file and "SSL" not in protocol.replace("SASL", ""):
            return f"RW_KAFKA_SSL_CA_FILE would not be used with RW_KAFKA_SECURITY_PROTOCOL={protocol}"
        return None

    def _wrong_tokens(self) -> str | None:
        if self.jwt_hs256_secret and self.jwt_jwks_file:
            return "RW_JWT_HS256_SECRET and RW_JWT_JWKS_FILE are both set: tokens are checked with exactly one of them"
        return None

    @property
    def token_rules(self) -> dict[str, Any]:
        """What a token must be like, by the names of `trust.tokens.Wanted`."""
        return {
            "user": self.jwt_claim_user,
            "name": self.jwt_claim_name,
            "org": self.jwt_claim_org,
            "permissions": self.jwt_claim_permissions,
            "entities": self.jwt_claim_entities,
            "issuer": self.jwt_issuer,
            "audience": self.jwt_audience,
            "max_age_s": self.jwt_max_age_s,
        }

    @property
    def revoke_s(self) -> float:
        """How long a partition that is taken away waits for calls under way."""
        return self.intouch_timeout_s + 10

    @property
    def rebalance_s(self) -> float:
        """How long the group waits for us in a rebalance; longer than a revocation."""
        return max(60.0, self.revoke_s + 15)

    @property
    def drain_s(self) -> float:
        """How long a worker that was told to stop finishes what it has."""
        return self.intouch_timeout_s + 10

    @property
    def grace_s(self) -> float:
        """How long a supervisor must wait before it kills; longer than a drain."""
        return self.intouch_timeout_s + 35

    @property
    def stall_s(self) -> float:
        """For how long something that could go on may not, before the process counts as dead."""
        return self.intouch_timeout_s + 60

    def require(self, *fields: str) -> None:
        """Raise SettingsError for the first of these settings that is not there; for what only one command needs."""
        for field in fields:
            if getattr(self, field) is None:
                or_file = f" (or {variable(field)}_FILE)" if field in SECRETS else ""
                raise SettingsError(
                    f"{variable(field)} is not set{or_file}: {type(self).model_fields[field].description}."
                )

    def require_worker(self) -> None:
        """Raise SettingsError unless everything is there that the worker cannot do without."""
        if self.jwt_jwks_file is None:
            self.require("jwt_hs256_secret")
        self.require("seal_keys")


def variable(field: str) -> str:
    """The environment variable of a field."""
    return PREFIX + field.upper()


_KNOWN = tuple(variable(field) for field in Settings.model_fields)


def load_settings(env_file: Path | None = ENV_FILE) -> Settings:
    """The settings from the environment and the `.env` file. Raises SettingsError."""
    try:
        check_environment(_KNOWN, env_file)
        return Settings(_env_file=env_file)
    except EnvironmentFault as fault:
        raise SettingsError(str(fault)) from None
    except ValidationError as wrong:
        raise SettingsError(_sentence(wrong)) from None


def unknown_variables(env_file: Path | None = ENV_FILE) -> list[str]:
    """A sentence for each RW_ variable that is set but is no setting: mostly slips of the pen."""
    return slips(_KNOWN, env_file)


def _quoted(entry: str, entries: tuple[str, ...]) -> str:
    """An entry as an error may tell it: where one holds an @ there may be a password, which a comma may even cut."""
    return f"entry {entries.index(entry) + 1}" if any("@" in one for one in entries) else repr(entry)


def _mounted(given: dict[str, Any], secret: str) -> str:
    path = Path(given[f"{secret}_file"])
    if given.get(secret):
        raise ValueError(f"{variable(secret)} and {variable(secret)}_FILE are both set: keep one of them")
    try:
        with path.open("rb") as file:
            text = file.read(SECRET_FILE_MAX + 1)
    except OSError as problem:
        raise ValueError(f"{variable(secret)}_FILE: {path} cannot be read: {problem.strerror}") from None
    if not text.strip() or len(text) > SECRET_FILE_MAX:
        raise ValueError(f"{variable(secret)}_FILE: {path} is empty or larger than {SECRET_FILE_MAX} bytes")
    try:
        return text.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise ValueError(f"{variable(secret)}_FILE: {path} is not text in UTF-8") from None


def _decoded_length(key: str) -> int:
    try:
        return len(base64.b64decode(key, validate=True))
    except (binascii.Error, ValueError):
        return 0


def _sentence(wrong: ValidationError) -> str:
    """One sentence for what pydantic reports; the value is told once, and never a secret's."""
    first = wrong.errors(include_url=False)[0]
    problem = first["msg"].removeprefix("Value error, ").rstrip(".")
    if not first["loc"]:
        return f"{problem}."
    field = str(first["loc"][0])
    told = "" if field in SECRETS or first["type"] == "value_error" else f" (it is {first['input']!r})"
    return f"{variable(field)}: {problem}{told}."
