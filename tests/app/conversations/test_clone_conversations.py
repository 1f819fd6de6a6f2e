"""A clone that calls its ensemble as the user calls theirs is not told what the user said to theirs."""

from __future__ import annotations

import pytest

from llm_orc.app.conversations.targets import go_on_with
from llm_orc.app.projects.trust import trust_directory, view_trust
from llm_orc.app.runs.conversation import ConversationOptions
from llm_orc.errors import ConversationNotFound, InputError, LlmOrcError, NotTrusted
from llm_orc.sandbox.server import Sandbox
from tests.app.conftest import Workspace, local, on_sandbox, run

SECRET = "We sell on Friday."


@pytest.fixture
async def clone(workspace: Workspace, sandbox: Sandbox) -> Workspace:
    """The user has told their own `panel` something; then they work in a clone that has a `panel` too."""
    workspace.settings(on_sandbox(sandbox))
    workspace.ensemble("panel", local("chair"))
    await run(workspace.app(), "panel", SECRET, conversation=ConversationOptions("deal"))
    workspace.cloned("panel", local("chair"))
    return workspace


def told(sandbox: Sandbox) -> bool:
    return SECRET.encode() in sandbox.requests[-1].body


async def test_the_last_conversation_is_that_with_the_same_file(clone: Workspace, sandbox: Sandbox) -> None:
    with pytest.raises(ConversationNotFound, match="there is no conversation with `panel`"):
        await run(clone.app(), "panel", "And now?", conversation=ConversationOptions(go_on=True))
    with pytest.raises(ConversationNotFound):
        await run(clone.app(), "panel", "And now?", conversation=ConversationOptions(go_on=True), rehearse=True)

    own = str(clone.config / "ensembles" / "panel.yaml")
    await run(clone.app(), own, "And now?", conversation=ConversationOptions(go_on=True))

    assert told(sandbox)


async def test_a_clone_goes_on_with_what_it_began_itself(clone: Workspace, sandbox: Sandbox) -> None:
    await run(clone.app(), "panel", "Said in the clone.", conversation=ConversationOptions("here"))

    await run(clone.app(), "panel", "And now?", conversation=ConversationOptions(go_on=True))

    assert b"Said in the clone." in sandbox.requests[-1].body
    assert not told(sandbox)


@pytest.mark.parametrize("rehearse", [False, True])
async def test_a_conversation_is_handed_over_by_name_to_no_untrusted_file(
    clone: Workspace, sandbox: Sandbox, *, rehearse: bool
) -> None:
    before = sandbox.request_count

    with pytest.raises(NotTrusted, match="conversation `deal` was begun by ensemble `panel`") as caught:
        await run(clone.app(), "panel", "And?", conversation=ConversationOptions("deal"), rehearse=rehearse)

    assert (caught.value.exit_code, sandbox.request_count) == (4, before)
    assert "`llm-orc trust`" in str(caught.value.hint)


async def test_once_trusted_it_may_be_handed_over(clone: Workspace, sandbox: Sandbox) -> None:
    app = clone.app()
    trust_directory(app, clone.project, view_trust(app, clone.project))

    await run(clone.app(), "panel", "And?", conversation=ConversationOptions("deal"))

    assert told(sandbox)


async def test_a_name_in_an_untrusted_file_opens_no_conversation(clone: Workspace, sandbox: Sandbox) -> None:
    clone.cloned("panel", local("chair", conversation=True), conversation="deal")
    await run(clone.app(), "panel", "And?")
    assert not told(sandbox)
    app = clone.app()
    trust_directory(app, clone.project, view_trust(app, clone.project))

    with pytest.raises(InputError, match="is not told what was said there"):
        await run(clone.app(), "panel", "And?")


def refusal(app_of: Workspace, name: str | None, target: str | None) -> LlmOrcError:
    with pytest.raises(LlmOrcError) as caught:
        go_on_with(app_of.app(), name, target)
    return caught.value


async def test_a_chat_goes_on_with_the_file_that_it_was_with(clone: Workspace) -> None:
    for name in (None, "deal"):
        earlier = go_on_with(clone.app(), name, None)

        assert earlier is not None
        assert earlier.partner.source is not None
        assert earlier.partner.source.path == str(clone.config / "ensembles" / "panel.yaml")
    assert go_on_with(clone.app(), None, "panel") is None
    assert isinstance(refusal(clone, "deal", "panel"), NotTrusted)


async def test_a_chat_with_a_model_does_not_go_on_with_an_ensemble_of_its_name(clone: Workspace) -> None:
    with_model = clone.app().open_conversations()
    with_model.begin("talk", "openai-compatible", None, 1e10)
    with_model.begin("other", "chat", None, 1e9)
    with_model.close()
    clone.cloned("openai-compatible", local("chair"))
    clone.cloned("chat", local("chair"))

    for name in ("talk", "other"):
        earlier = go_on_with(clone.app(), name, None)

        assert earlier is not None
        assert earlier.partner.source is None


async def test_a_packaged_ensemble_goes_on_from_another_installation(clone: Workspace) -> None:
    store = clone.app().open_conversations()
    store.begin("old", "council", "/elsewhere/site-packages/llm_orc/ensembles/packaged/council.yaml", 1e10)
    store.close()

    assert go_on_with(clone.app(), None, "council") is not None
    clone.cloned("council", local("chair"))
    assert go_on_with(clone.app(), None, "council") is None
