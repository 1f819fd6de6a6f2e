"""The one tree of errors: each can be copied with all that it says, as those are that are joined into one."""

from __future__ import annotations

from copy import copy

import pytest

from llm_orc.errors import AccessRefused, CredentialStoreError, LlmOrcError, NotLoggedIn, ProviderError


@pytest.mark.parametrize(
    "error",
    [
        CredentialStoreError("the store is locked", state="locked", hint="unlock it"),
        AccessRefused("no", hint="another way", signature="claude_code_only", status=400),
        ProviderError("down", status=503, provider_message="overloaded", retry_after_s=2.0),
        NotLoggedIn("not signed in", hint="llm-orc auth add x", provider="x"),
        LlmOrcError("plain"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_copy_says_the_same(error: LlmOrcError) -> None:
    twin = copy(error)

    assert type(twin) is type(error)
    assert (str(twin), vars(twin)) == (str(error), vars(error))
    assert twin is not error
