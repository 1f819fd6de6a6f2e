"""What `CredentialStorage` promises to those who use it, whatever protects it."""

from __future__ import annotations

import json
import os
import pickle
import time
import traceback
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llm_orc.auth.access import Billing
from llm_orc.auth.credential import ApiKey, Entry, NeedsLogin, OAuthToken, Presented, Refused, new_entry
from llm_orc.auth.secret import Secret
from llm_orc.auth.storage import CredentialStorage
from llm_orc.auth.stores.entry_fields import from_fields, to_fields
from llm_orc.auth.stores.key_file import KeyFile
from llm_orc.errors import CredentialStoreError, NotLoggedIn
from tests.examples import many
from tests.fakes.clocks import SetTime

CANARY = "sk-canary-55931"


@pytest.fixture
def clock() -> SetTime:
    return SetTime(1_000_000.0)


@pytest.fixture
def storage(tmp_path: Path, clock: SetTime) -> CredentialStorage:
    return opened(tmp_path, clock)


def opened(folder: Path, clock: SetTime | None = None) -> CredentialStorage:
    return CredentialStorage(
        folder / "credentials.json", KeyFile(folder / "credentials.key"), clock=clock or SetTime()
    )


def test_a_key_is_there_for_the_next_process(storage: CredentialStorage, tmp_path: Path, clock: SetTime) -> None:
    stored = storage.store_api_key("openrouter", CANARY, origin="https://openrouter.ai", label="me")

    found = opened(tmp_path).get("openrouter")

    assert found == stored
    assert found == Entry(
        "openrouter",
        "default",
        ApiKey(Secret(CANARY)),
        Billing.METERED,
        origin="https://openrouter.ai",
        obtained_at=clock.now,
        label="me",
    )


def test_an_oauth_token_needs_nothing_but_an_access_token(storage: CredentialStorage, clock: SetTime) -> None:
    storage.store_oauth_token("p", "access", None, None, None)

    found = storage.get("p")

    assert found is not None
    assert found.credential == OAuthToken(Secret("access"), issued_at=clock.now)


def test_an_oauth_token_keeps_all_that_is_known_of_it(storage: CredentialStorage, tmp_path: Path) -> None:
    token = OAuthToken(
        Secret("access"),
        Secret("refresh"),
        expires_at=2_000_000.5,
        scopes=("a", "b"),
        client_id="client",
        clock_skew_s=-3.0,
    )
    entry = new_entry("p", "me@example.org", token, Billing.SUBSCRIPTION)
    stored = storage.keep(replace(entry, origin="https://api.example", label="Me", terms_acknowledged_at=5.0))

    assert opened(tmp_path).get("p", "me@example.org") == stored
    assert isinstance(stored.credential, OAuthToken)
    assert stored.credential == token
    assert (stored.origin, stored.label, stored.terms_acknowledged_at) == ("https://api.example", "Me", 5.0)


def test_nothing_stored_is_none_and_touches_no_disk(storage: CredentialStorage, tmp_path: Path) -> None:
    assert storage.get("p") is None
    assert storage.entries() == ()
    assert storage.remove("p") is None
    assert storage.state.name == "absent"
    assert storage.protection is None
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


@pytest.mark.parametrize(("provider", "key"), [("", "k"), ("p\n", "k"), ("p" * 201, "k"), ("p", "")])
def test_what_could_not_be_found_or_used_again_is_not_stored(
    provider: str, key: str, storage: CredentialStorage
) -> None:
    with pytest.raises(ValueError, match=r"printable|empty"):
        storage.store_api_key(provider, key)

    assert storage.state.name == "absent"


def test_signing_in_makes_an_account_the_active_one_and_switching_goes_back(storage: CredentialStorage) -> None:
    storage.store_api_key("p", "k1", account="one")
    storage.store_api_key("p", "k2", account="two")
    storage.store_api_key("q", "k3")

    newest = storage.get("p")
    storage.activate("p", "one")
    chosen = storage.get("p")

    assert newest is not None
    assert newest.account == "two"
    assert chosen is not None
    assert chosen.account == "one"
    assert [(e.provider, e.account, e.is_active) for e in storage.entries()] == [
        ("p", "one", True),
        ("p", "two", False),
        ("q", "default", True),
    ]


def test_providers_with_a_slash_in_their_name_stay_apart(storage: CredentialStorage) -> None:
    storage.store_api_key("openai-compatible", "k1", account="lab/x")
    storage.store_api_key("openai-compatible/lab", "k2", account="x")

    assert [e.provider for e in storage.entries()] == ["openai-compatible", "openai-compatible/lab"]
    assert storage.providers == ("openai-compatible", "openai-compatible/lab")
    assert storage.get("openai-compatible/lab", "lab/x") is None


def test_an_update_sees_what_another_process_wrote_meanwhile(tmp_path: Path) -> None:
    first, second = opened(tmp_path), opened(tmp_path)
    first.store_api_key("p", "k1")
    first.get("p")
    second.store_api_key("p", "k2")

    updated = first.update("p", None, lambda entry: replace(entry, proven_at=7.0))

    assert updated.credential == ApiKey(Secret("k2"))
    assert second.get("p") == updated


@pytest.mark.parametrize("age_s", [0, 3600])
def test_a_version_that_bears_the_stamp_of_the_last_one_is_not_taken_for_it(age_s: int, tmp_path: Path) -> None:
    """Inodes are used again, and a file system's clock may tick only every other second."""
    path = tmp_path / "credentials.json"
    first, second = opened(tmp_path), opened(tmp_path)
    first.store_api_key("p", "k1")
    stamp = time.time_ns() - age_s * 10**9
    os.utime(path, ns=(stamp, stamp))
    first.get("p")

    version, size = path.read_bytes(), path.stat().st_size
    second.store_api_key("p", "k2")
    newer = path.read_bytes()
    path.write_bytes(version)
    os.utime(path, ns=(stamp, stamp))
    first.get("p")
    path.write_bytes(newer)  # into the same inode
    os.utime(path, ns=(stamp, stamp))

    assert path.stat().st_size == size
    if age_s == 0:
        found = first.get("p")
        assert found is not None
        assert found.credential == ApiKey(Secret("k2"))
    assert first.update("p", None, lambda entry: entry).credential == ApiKey(Secret("k2"))


def test_many_readings_of_an_unchanged_store_open_it_once(storage: CredentialStorage, tmp_path: Path) -> None:
    storage.store_api_key("p", "k")
    os.utime(tmp_path / "credentials.json", ns=(0, 0))

    assert storage._file.read() is storage._file.read()


def test_an_update_may_not_move_an_entry(storage: CredentialStorage) -> None:
    storage.store_api_key("p", "k1")

    with pytest.raises(ValueError, match="keeps the provider"):
        storage.update("p", None, lambda entry: replace(entry, account="other"))


def test_an_update_that_changes_nothing_does_not_write(storage: CredentialStorage, tmp_path: Path) -> None:
    storage.store_api_key("p", "k1")
    before = (tmp_path / "credentials.json").stat().st_ino

    storage.update("p", None, lambda entry: entry)

    assert (tmp_path / "credentials.json").stat().st_ino == before


def test_an_update_that_fails_leaves_the_store_and_the_lock_free(storage: CredentialStorage) -> None:
    storage.store_api_key("p", "k1")

    with pytest.raises(ZeroDivisionError):
        storage.update("p", None, lambda _: 1 / 0)  # type: ignore[arg-type, return-value]

    assert storage.store_api_key("p", "k2") == storage.get("p")


def test_what_was_signed_out_meanwhile_is_not_brought_back_by_an_update(storage: CredentialStorage) -> None:
    storage.store_api_key("p", "k1")
    storage.remove("p")

    with pytest.raises(NotLoggedIn, match="`p`") as caught:
        storage.update("p", "default", lambda entry: replace(entry, proven_at=7.0))

    assert caught.value.hint == "llm-orc auth add p"
    assert storage.get("p") is None


def test_removing_returns_what_was_removed_and_leaves_another_account_active(storage: CredentialStorage) -> None:
    storage.store_api_key("p", "k1", account="one")
    storage.store_api_key("p", "k2", account="two")

    removed = storage.remove("p")

    assert removed is not None
    assert removed.credential == ApiKey(Secret("k2"))
    assert [(e.account, e.is_active) for e in storage.entries()] == [("one", True)]
    assert storage.remove("p", "two") is None


def test_a_new_sign_in_clears_the_marks_of_the_last_one_and_keeps_the_acknowledged_terms(
    storage: CredentialStorage,
) -> None:
    storage.store_oauth_token("p", "a1", "r1")
    storage.update("p", None, lambda e: replace(e, terms_acknowledged_at=3.0))
    marks = NeedsLogin("hash", "invalid_grant", 4.0), Refused("hash", "claude_code_only", "no", 5.0)
    storage.update(
        "p", None, lambda e: replace(e, needs_login=marks[0], refused=marks[1], presented=Presented("h", 1.0))
    )

    entry = storage.store_oauth_token("p", "a2", "r2")

    assert (entry.needs_login, entry.refused, entry.presented) == (None, None, None)
    assert entry.terms_acknowledged_at == 3.0
    assert storage.get("p") == entry


# --- every entry survives ---------------------------------------------------------------------------------

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
times = st.none() | st.floats(0, 1e11)
secrets = st.builds(Secret, texts)
credentials = st.builds(ApiKey, secrets) | st.builds(
    OAuthToken,
    secrets,
    st.none() | secrets,
    times,
    times,
    st.lists(texts, max_size=3).map(tuple),
    st.none() | texts,
)
entries = st.builds(
    Entry,
    texts,
    texts,
    credentials,
    st.sampled_from(Billing),
    st.none() | texts,
    times,
    times,
    times,
    st.none() | st.builds(Presented, texts, st.floats(0, 1e11)),
    st.none() | st.builds(NeedsLogin, texts, texts, st.floats(0, 1e11)),
    st.none() | st.builds(Refused, texts, texts, texts, st.floats(0, 1e11)),
    st.booleans(),
    times,
    texts,
)


@given(entries)
@settings(max_examples=many(200), suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_every_entry_reads_back_as_it_was_written(entry: Entry) -> None:
    assert from_fields(json.loads(json.dumps(to_fields(entry)))) == entry


@given(st.dictionaries(st.sampled_from(["audience", "dpop_key", "plan"]), st.none() | st.integers() | texts))
@settings(max_examples=many(50))
def test_fields_of_a_newer_release_survive_a_change_by_this_one(newer: dict[str, int | str | None]) -> None:
    written = {**to_fields(Entry("p", "x", ApiKey(Secret("k")), Billing.LOCAL)), **newer}

    entry = replace(from_fields(written), proven_at=5.0)

    assert to_fields(entry) == {**written, "proven_at": 5.0}


# --- between processes ------------------------------------------------------------------------------------


def test_a_cool_down_is_seen_by_other_processes_until_it_ends(
    storage: CredentialStorage, tmp_path: Path, clock: SetTime
) -> None:
    other = opened(tmp_path, clock)
    storage.set_cooldown("p", "x", clock.now + 60)

    during = other.cooldown("p", "x"), other.cooldown("p", "y"), other.cooldown("q", "x")
    clock.now += 61

    assert during == (1_000_060.0, None, None)
    assert other.cooldown("p", "x") is None


def test_a_cool_down_can_be_ended_and_one_of_a_wrong_clock_is_not_kept_to(
    storage: CredentialStorage, clock: SetTime
) -> None:
    storage.set_cooldown("p", "x", clock.now + 60)
    storage.set_cooldown("p", "x", None)
    ended = storage.cooldown("p", "x")
    storage.set_cooldown("p", "x", clock.now + 10 * 86400)

    assert ended is None
    assert storage.cooldown("p", "x") is None


def test_refresh_locks_of_two_credentials_do_not_wait_for_each_other(storage: CredentialStorage) -> None:
    with storage.refresh_lock("p", "x"), storage.refresh_lock("p", "y", wait_s=0), storage.refresh_lock("q", "x"):
        storage.store_api_key("p", "k")  # nor does writing wait for a refresh

    assert storage.get("p") is not None


async def test_a_refresh_lock_may_be_taken_in_one_thread_and_left_in_another(storage: CredentialStorage) -> None:
    import asyncio

    for _ in range(8):
        lock = storage.refresh_lock("p", "x", wait_s=1)
        await asyncio.gather(*(asyncio.to_thread(int) for _ in range(4)))
        await asyncio.to_thread(lock.__enter__)
        await asyncio.to_thread(lock.__exit__, None, None, None)

    with storage.refresh_lock("p", "x", wait_s=0):
        pass


def test_a_place_without_locks_is_a_clear_error(storage: CredentialStorage, tmp_path: Path) -> None:
    (tmp_path / "credentials.json.lock").mkdir()

    with pytest.raises(CredentialStoreError, match=r"can't lock `.*credentials\.json\.lock`") as caught:
        storage.store_api_key("p", "k")

    assert caught.value.state == "unlockable"


# --- secrets ----------------------------------------------------------------------------------------------


def test_no_secret_is_on_the_disk_or_in_anything_that_python_shows(
    storage: CredentialStorage, tmp_path: Path
) -> None:
    storage.store_api_key("p", CANARY)
    entry = storage.store_oauth_token("q", CANARY, f"{CANARY}-r", 1.0, "client", account="canary@example.org")

    shown = [repr(entry), str(storage.entries()), repr(storage.state), repr(storage._file.read())]
    try:
        storage.update("q", None, lambda e: 1 / 0)  # type: ignore[arg-type, return-value]
    except ZeroDivisionError:
        shown.append(traceback.format_exc())
    with pytest.raises(TypeError):
        pickle.dumps(entry)
    files = [path.read_text("utf-8", "replace") for path in tmp_path.rglob("*") if path.is_file()]
    key = (tmp_path / "credentials.key").read_text().split()[1]
    shown.append((tmp_path / "credentials.json").read_text())

    assert len(files) >= 3
    assert not any(CANARY in text for text in [*shown, *files])
    assert not any("canary@example.org" in text for text in files)
    assert not any(key in text for text in shown)
