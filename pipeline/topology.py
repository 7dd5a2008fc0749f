"""The topics as data: reads `topics/*.toml` and says how each has to be on the broker for the settings in force.

No connection is made here (that is `provision`), and no topic is named here: what others rely on stands in the files,
one per topic, and the code has to agree with them (tests/contract). Source: contract, sections 4, 9 and 11.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.settings import Settings

# With fewer replicas there is nobody who could be asked to hold a second copy before a write is acknowledged.
SAFE_REPLICAS = 3
SAFETY = {"min.insync.replicas": "2", "unclean.leader.election.enable": "false"}


class TopologyError(Exception):
    """The topic files are missing or wrong; the message is one sentence that names the file."""


class Topic(BaseModel):
    """One topic, as its file says. A value of `config` that begins with `$` refers to a setting (`_terms`)."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: str
    purpose: str
    carries: list[str]
    written_by: list[str]
    read_by: list[str]
    key: str
    config: dict[str, str]


class Wanted(NamedTuple):
    """How a topic has to be: counts, and the configuration as the broker spells it."""

    partitions: int
    replication: int
    config: Mapping[str, str]


def topics_folder() -> Path:
    """Where the files lie: `topics` of a checkout, or where an installed package keeps its data."""
    checkout = Path(__file__).resolve().parents[1] / "topics"
    return checkout if any(checkout.glob("*.toml")) else Path(sys.prefix) / "share" / "request-workflow" / "topics"


def read_topics(folder: Path | None = None) -> list[Topic]:
    """All topics, by name. Raises TopologyError."""
    folder = folder or topics_folder()
    files = sorted(folder.glob("*.toml"))
    if not files:
        raise TopologyError(f"There are no topic files in {folder}: the installation is incomplete, install it again.")
    return [_read(file) for file in files]


def wanted_topics(settings: Settings, folder: Path | None = None) -> dict[str, Wanted]:
    """What has to be on the broker: full name (with the prefix) to counts and configuration. Raises TopologyError."""
    safety = SAFETY if settings.topic_replication >= SAFE_REPLICAS else {}
    return {
        settings.topic_prefix + topic.name: Wanted(
            settings.topic_partitions, settings.topic_replication, _config(topic, settings) | safety
        )
        for topic in read_topics(folder)
    }


def _read(file: Path) -> Topic:
    try:
        topic = Topic.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except ValidationError as wrong:
        first = wrong.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise TopologyError(f"{file}, {key}: {first['msg']}.") from None
    except (OSError, ValueError) as wrong:
        raise TopologyError(f"{file} cannot be read: {wrong}.") from None
    if file.stem != topic.name:
        raise TopologyError(f"{file}, name: it says {topic.name!r}; a file is named after its topic.")
    return topic


def _config(topic: Topic, settings: Settings) -> dict[str, str]:
    terms = _terms(settings)
    config = {}
    for key, value in topic.config.items():
        if value.startswith("$") and value[1:] not in terms:
            raise TopologyError(
                f"{topic.name}.toml, {key}: {value!r} is none of {', '.join(f'${term}' for term in terms)}."
            )
        config[key] = str(terms[value[1:]]) if value.startswith("$") else value
    return config


def _terms(settings: Settings) -> dict[str, int]:
    """What a topic file may refer to, in milliseconds."""
    return {
        "retention_ms": settings.retention_s * 1000,
        "remember_ms": settings.remember_s * 1000,
        "segment_ms": settings.segment_s * 1000,
    }
