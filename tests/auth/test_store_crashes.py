"""Whatever happens to a writer, the store holds what it held before or what it should hold after, and all others' work."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from llm_orc.errors import CredentialStoreError

if os.name == "nt":
    pytest.skip("kill -9, fork and file size limits are POSIX notions", allow_module_level=True)

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from llm_orc.auth.storage import CredentialStorage
from llm_orc.auth.stores.key_file import KeyFile
from tests.auth.store_worker import StoreWorker

STEPS = {
    "store a key": ("key", "a", "one", "k2"),
    "store another account": ("key", "a", "two", "k3"),
    "update": ("label", "a", "one", "new"),
    "remove": ("remove", "a", "one"),
    "change the key": ("rekey",),
}


def visible(worker: StoreWorker) -> dict[str, Any]:
    seen: dict[str, Any] = worker.do("list")["result"]
    return seen


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
@pytest.mark.slow
def test_a_kill_at_any_step_of_a_change_leaves_the_old_store_or_the_new(
    step: tuple[str, ...], tmp_path: Path
) -> None:
    start = tmp_path / "start"
    with StoreWorker(start) as worker:
        worker.do("key", "a", "one", "k1")
        worker.do("token", "b", "default", "t1")
        before = visible(worker)
        worker.folder = shutil.copytree(start, tmp_path / "whole")
        worker.do(*step)
        whole = visible(worker)

        died, places = True, 0
        while died:
            places += 1
            worker.folder = shutil.copytree(start, tmp_path / str(places))
            died = worker.do(*step, die_at=places)["killed"]
            assert visible(worker) in (before, whole)

    assert places > 20, "too few places to die at were found to prove anything"


@pytest.mark.slow
def test_a_kill_at_any_step_of_the_first_change_leaves_no_store_or_a_whole_one(tmp_path: Path) -> None:
    died, places = True, 0
    with StoreWorker(tmp_path) as worker:
        while died:
            places += 1
            worker.folder = tmp_path / str(places)
            died = worker.do("key", "a", "one", "k1", die_at=places)["killed"]

            after = visible(worker)
            answer = worker.do("key", "b", "one", "k2")

            assert (after["state"], len(after["entries"])) in {("absent", 0), ("ok", 1)}
            assert "error" not in answer
            assert visible(worker)["entries"]["b one"] == ["k2", "", True]

    assert places > 20


@pytest.mark.slow
def test_killed_writers_leave_no_files_behind_once_another_has_written(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    with StoreWorker(folder) as worker:
        worker.do("key", "a", "one", "k1")
        left: set[str] = set()
        for number in range(1, 500):
            if not worker.do("key", "a", "one", f"k{number}", die_at=number)["killed"]:
                break
            left |= {path.name for path in folder.glob(".*.tmp")}

        worker.do("key", "a", "one", "last")

    assert left
    assert sorted(path.name for path in folder.iterdir()) == [
        "credentials.json",
        "credentials.json.lock",
        "credentials.key",
    ]


@pytest.mark.parametrize("limit_bytes", [0, 1, 100, 600])
def test_a_full_disk_is_named_and_leaves_the_old_store(limit_bytes: int, tmp_path: Path) -> None:
    with StoreWorker(tmp_path) as worker:
        worker.do("key", "a", "one", "k1")
        before = visible(worker)

        answer = worker.do("key", "b", "one", "k2" * 500, limit_bytes=limit_bytes)

        assert answer["state"] == "unwritable"
        assert str(tmp_path / "credentials.json") in answer["error"]
        assert visible(worker) == before


def test_a_full_disk_during_a_change_of_protection_keeps_the_old_key(tmp_path: Path) -> None:
    with StoreWorker(tmp_path) as worker:
        worker.do("key", "a", "one", "k1" * 500)
        before = visible(worker)

        answer = worker.do("rekey", limit_bytes=400)

        assert answer["state"] == "unwritable"
        assert visible(worker) == before
        assert len((tmp_path / "credentials.key").read_text().splitlines()) == 1


def test_many_processes_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    with ExitStack() as stack:
        workers = [stack.enter_context(StoreWorker(tmp_path)) for _ in range(4)]
        for number, worker in enumerate(workers):
            worker.begin("key", "p", f"account {number}", f"k{number}")
        first = [worker.end() for worker in workers]
        for worker in workers:
            worker.begin("count", "p", "account 0", "15")
        second = [worker.end() for worker in workers]

        seen = visible(workers[0])["entries"]

    assert [answer for answer in first + second if "error" in answer or answer["crashed"]] == []
    assert {key: value[0] for key, value in seen.items()} == {f"p account {n}": f"k{n}" for n in range(4)}
    assert seen["p account 0"][1] == "60"
    assert [value[2] for value in seen.values()].count(True) == 1


def test_threads_of_one_process_lose_nothing_either(tmp_path: Path) -> None:
    storage = CredentialStorage(tmp_path / "credentials.json", KeyFile(tmp_path / "credentials.key"))

    threads = [
        threading.Thread(target=storage.store_api_key, args=(f"p{n}", "k"), kwargs={"account": "x"})
        for n in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [entry.provider for entry in storage.entries()] == sorted(f"p{n}" for n in range(12))


WRITER = """
import sys
from dataclasses import replace
from pathlib import Path
from llm_orc.auth.storage import CredentialStorage
from llm_orc.auth.stores.key_file import KeyFile
folder = Path(sys.argv[1])
storage = CredentialStorage(folder / "credentials.json", KeyFile(folder / "credentials.key"))
while True:
    entry = storage.update("p", "x", lambda e: replace(e, label=str(int(e.label or 0) + 1)))
    print(entry.label, flush=True)
"""


@pytest.mark.slow
def test_kills_at_random_instants_lose_no_change_that_was_told(tmp_path: Path) -> None:
    dice = random.Random(20_261)
    storage = CredentialStorage(tmp_path / "credentials.json", KeyFile(tmp_path / "credentials.key"))
    storage.store_api_key("p", "k", account="x")
    for _ in range(12):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()

            time.sleep(dice.uniform(0, 0.03))  # where in its work it is hit is the point
            writer.send_signal(signal.SIGKILL)
            told = [int(line) for line in writer.stdout.read().split()]

        entry = storage.get("p", "x")
        assert entry is not None
        assert int(entry.label) in {told[-1], told[-1] + 1} if told else int(entry.label) > 0


@pytest.mark.slow
def test_a_reader_beside_writers_never_sees_half_a_store(tmp_path: Path) -> None:
    storage = CredentialStorage(tmp_path / "credentials.json", KeyFile(tmp_path / "credentials.key"))
    storage.store_api_key("p", "k", account="x")
    seen = []
    with (
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True
        ) as writer,
        StoreWorker(tmp_path) as other,
    ):
        assert writer.stdout is not None
        writer.stdout.readline()
        for _ in range(10):
            other.begin("rekey")
            for _ in range(20):
                entry = storage.get("p", "x")
                assert entry is not None
                seen.append(int(entry.label or 0))
            assert "error" not in other.end()
        writer.kill()

    assert seen == sorted(seen)
    assert seen[-1] > seen[0]


class StoreMachine(RuleBasedStateMachine):
    """Two processes change one store, at the same time and dying at any step; a plain dict says what it must hold."""

    providers = st.sampled_from(["a", "b/c"])
    accounts = st.sampled_from(["one", "two"])
    texts = st.text("xyz\u00e9", min_size=1, max_size=5)
    places = st.one_of(st.none(), st.integers(1, 60))

    @initialize()
    def begin(self) -> None:
        self.stack = ExitStack()
        self.folder = Path(self.stack.enter_context(TemporaryDirectory()))
        self.workers = [self.stack.enter_context(StoreWorker(self.folder)) for _ in range(2)]
        self.model: dict[str, tuple[str, str]] = {}

    @rule(provider=providers, account=accounts, text=texts, place=places, kind=st.sampled_from(["key", "token"]))
    def store(self, provider: str, account: str, text: str, place: int | None, kind: str) -> None:
        self.apply((kind, provider, account, text), {**self.model, f"{provider} {account}": (text, "")}, place)

    @rule(provider=providers, account=accounts, text=texts, place=places)
    def label(self, provider: str, account: str, text: str, place: int | None) -> None:
        key = f"{provider} {account}"
        if key in self.model:
            self.apply(("label", provider, account, text), {**self.model, key: (self.model[key][0], text)}, place)
        else:
            assert "NotLoggedIn" in self.workers[0].do("label", provider, account, text)["error"]

    @rule(provider=providers, account=accounts, place=places)
    def remove(self, provider: str, account: str, place: int | None) -> None:
        wanted = {k: v for k, v in self.model.items() if k != f"{provider} {account}"}
        self.apply(("remove", provider, account), wanted, place)

    @rule(place=places)
    def rekey(self, place: int | None) -> None:
        self.apply(("rekey",), self.model, place)

    @precondition(lambda self: self.model)
    @rule(data=st.data(), text=texts, place=places)
    def two_at_once(self, data: st.DataObject, text: str, place: int | None) -> None:
        """One stores a new entry, the other labels one: both must be there, except where the first was killed."""
        key = data.draw(st.sampled_from(sorted(self.model)))
        provider, account = key.split(" ")
        self.workers[0].begin("key", "new", "one", text, die_at=place)
        self.workers[1].begin("label", provider, account, "both")
        answers = [worker.end() for worker in self.workers]
        assert not any("error" in answer for answer in answers), answers

        self.model[key] = (self.model[key][0], "both")
        wanted = {**self.model, "new one": (text, "")}
        if key == "new one":  # they wrote the same entry, in an order that nobody knows
            wanted[key] = (self.seen()[key][0], self.seen()[key][1])
            assert wanted[key] in {(text, ""), (text, "both"), (self.model[key][0], "both")}
            self.model[key] = wanted[key]
        self.settle(wanted, killed=answers[0]["killed"])

    def apply(self, step: tuple[str, ...], wanted: dict[str, tuple[str, str]], place: int | None) -> None:
        answer = self.workers[0].do(*step, die_at=place)
        assert "error" not in answer, answer
        self.settle(wanted, killed=answer["killed"])

    def settle(self, wanted: dict[str, tuple[str, str]], *, killed: bool) -> None:
        seen = self.seen()
        assert seen == wanted or (killed and seen == self.model)
        self.model = seen

    def seen(self) -> dict[str, tuple[str, str]]:
        return {key: (value[0], value[1]) for key, value in visible(self.workers[1])["entries"].items()}

    @invariant()
    def every_provider_has_one_active_account(self) -> None:
        active = [key.split(" ")[0] for key, value in visible(self.workers[1])["entries"].items() if value[2]]
        assert sorted(active) == sorted({key.split(" ")[0] for key in self.model})

    def teardown(self) -> None:
        self.stack.close()


TestStoreMachine = pytest.mark.slow(StoreMachine.TestCase)
TestStoreMachine.settings = settings(
    max_examples=15, stateful_step_count=15, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


def test_a_writer_that_waits_too_long_is_told_which_process_it_waits_for(tmp_path: Path) -> None:
    storage = CredentialStorage(tmp_path / "credentials.json", KeyFile(tmp_path / "credentials.key"))

    with (
        storage.refresh_lock("p", "x"),
        pytest.raises(CredentialStoreError, match=f"process {os.getpid()}") as caught,
        storage.refresh_lock("p", "x", wait_s=0.05),
    ):
        pass

    assert caught.value.state == "busy"
