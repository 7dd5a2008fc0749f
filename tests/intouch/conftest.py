"""What the tests of the gate share."""

from __future__ import annotations

import pytest
from intouch.scene import Scene


@pytest.fixture
def scene() -> Scene:
    """A gate without limits, and its clock."""
    return Scene().with_gate()
