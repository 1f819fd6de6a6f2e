"""Places to sign in at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from llm_orc.sandbox.oauth.server import OAuthServer
from tests.cli.conftest import Shell
from tests.fakes.sign_in_place import SignInPlace, sign_in_place

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def place(bare: Shell) -> AsyncIterator[SignInPlace]:
    """A provider that agrees to every sign-in; at the end, no token was told or written as it is."""
    async with sign_in_place(bare, OAuthServer(auto_approve=True)) as here:
        yield here
        assert [
            said
            for said in here.spoken
            if "sandbox-at-" in said or "sandbox-rt-" in said or "sandbox-code" in said
        ] == []
        assert here.files_with("sandbox-at-") == []
        assert here.files_with("sandbox-rt-") == []
