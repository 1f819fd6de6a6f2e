"""What the settings of a project that nobody has trusted may do: say words, choose what is free, lower limits."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from llm_orc.settings.field import Field
from llm_orc.settings.fields import SECTIONS
from llm_orc.settings.guard import counts_untrusted, right_to
from llm_orc.settings.layer import Value
from llm_orc.settings.load import read_guarded, trust_file
from llm_orc.settings.model import Origin
from llm_orc.settings.trust import SETTINGS, TrustStore
from llm_orc.storage.field_types import text
from tests.examples import many

if TYPE_CHECKING:
    from pathlib import Path

    from tests.settings.conftest import Place

USER, PROJECT = Origin("user"), Origin("project")


@pytest.mark.parametrize("path", [("runs", "made_up"), ("providers", "x", "made_up"), ("made_up", "key")])
def test_a_setting_that_no_row_speaks_of_needs_trust(path: tuple[str, ...]) -> None:
    assert right_to(path, {}) == "trust"
    assert not counts_untrusted(Value(path, 1, PROJECT), {})


def test_a_new_row_needs_trust_until_it_says_otherwise() -> None:
    assert Field(text, "Made up.").right == "trust"


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("runs: {record: false}", "runs.record"),
        ("runs: {keep_days: 1}", "runs.keep_days"),
        ("runs: {max_cost: 1000}", "runs.max_cost"),
        ("runs: {max_cost: }", "runs.max_cost"),
        ("runs: {max_calls: 8}", "runs.max_calls"),
        ("runs: {max_retries: 5}", "runs.max_retries"),
        ("runs: {max_cli_processes: 9}", "runs.max_cli_processes"),
        ("batch: {store: /tmp/store}", "batch.store"),
        ("model_profiles: {mine: {cost_per_token: 0}}", "model_profiles.mine.cost_per_token"),
        ("model_profiles: {mine: {max_tokens: 1}}", "model_profiles.mine.max_tokens"),
        ("model_profiles: {mine: {temperature: 1}}", "model_profiles.mine.temperature"),
        ("model_profiles: {mine: {system_prompt: Obey.}}", "model_profiles.mine.system_prompt"),
        ("model_profiles: {mine: {provider: openai}}", "model_profiles.mine.provider"),
        ("model_profiles: {mine: {model: }}", "model_profiles.mine.model"),
        ("model_profiles: {mine: {auth_method: api-key}}", "model_profiles.mine.auth_method"),
        (
            "model_profiles: {mine: {fallback_model_profile: default}}",
            "model_profiles.mine.fallback_model_profile",
        ),
        ("model_profiles: {mine: {options: {top_p: 1}}}", "model_profiles.mine.options.top_p"),
        ("model_profiles: {default: {max_tokens: 99999}}", "model_profiles.default.max_tokens"),
        ("model_profiles: {theirs: {options: {top_p: 1}}}", "model_profiles.theirs.options.top_p"),
        ("model_profiles: {theirs: {cost_per_token: 0}}", "model_profiles.theirs.cost_per_token"),
    ],
)
def test_what_is_the_users_stays_as_it_is_and_that_is_said(place: Place, written: str, key: str) -> None:
    place.user(
        "model_profiles: {mine: {provider: ollama, model: m}}\nruns: {max_cost: 0.5, max_calls: 7, keep_days: 30}\n"
    )
    before = place.load()
    file = place.in_project(written)

    settings = place.load()

    assert (settings.runs, settings.batch) == (before.runs, before.batch)
    assert settings.profiles["mine"] == before.profiles["mine"]
    assert settings.profiles["default"] == before.profiles["default"]
    assert [(one.key, one.origin.file) for one in settings.withheld] == [(key, file)]


def test_limits_may_be_lowered(place: Place) -> None:
    place.user("runs: {max_cost: 0.5}")
    place.in_project("runs: {max_cost: 0.1, max_calls: 3, max_retries: 0, timeout_seconds: 9, max_concurrent: 1}")

    settings = place.load()

    runs = settings.runs
    assert (runs.max_cost_usd, runs.max_calls, runs.max_retries, runs.timeout_s, runs.max_concurrent) == (
        0.1,
        3,
        0,
        9.0,
        1,
    )
    assert settings.withheld == ()


def test_limits_of_a_provider_may_be_lowered(place: Place) -> None:
    place.user(
        "providers: {ollama: {base_url: 'http://127.0.0.1:9/v1', max_concurrent: 4, requests_per_minute: 9}}"
    )
    place.in_project(
        "providers: {ollama: {max_concurrent: 2, requests_per_minute: 10, tokens_per_minute: 7}, new: {max_concurrent: 1}}"
    )

    settings = place.load()

    ollama = settings.providers["ollama"]
    assert (ollama.max_concurrent, ollama.requests_per_minute, ollama.tokens_per_minute) == (2, 9, 7)
    assert "new" not in settings.providers
    assert {one.key for one in settings.withheld} == {
        "providers.ollama.requests_per_minute",
        "providers.new.max_concurrent",
    }


def test_what_the_user_says_for_this_very_run_wins_over_a_lower_limit(place: Place) -> None:
    place.in_project("runs: {max_retries: 0}")

    assert place.load({"LLM_ORC_MAX_RETRIES": "3"}).runs.max_retries == 3
    assert place.load(flags={"runs.max_retries": 2}).runs.max_retries == 2


def test_the_packages_default_may_be_given_a_model_by_a_project_and_nothing_else(place: Place) -> None:
    place.in_project(
        "model_profiles: {default: {provider: ollama, model: m, temperature: 1, system_prompt: Obey.}}"
    )

    default = place.load().profiles["default"]

    assert (default.provider, default.model) == ("ollama", "m")
    assert (default.temperature, default.system_prompt) == (None, None)


@pytest.mark.parametrize("fallback", ["mine", "nowhere", "default"])
def test_a_fallback_of_a_project_breaks_no_profile_of_the_users(place: Place, fallback: str) -> None:
    place.user("model_profiles: {mine: {provider: ollama, model: m, fallback_model_profile: default}}")
    place.in_project(f"model_profiles: {{default: {{fallback_model_profile: {fallback}}}}}")

    settings = place.load()

    assert settings.profiles["default"].fallback_model_profile is None
    assert settings.profiles["mine"].fallback_model_profile == "default"
    assert [one.key for one in settings.withheld] == ["model_profiles.default.fallback_model_profile"]


def test_a_paid_default_that_comes_after_trust_is_asked_for_again(place: Place) -> None:
    place.in_project("runs: {record: false}")
    trust(place)
    assert not place.load().runs.record
    place.in_project("runs: {record: false}\nmodel_profiles: {default: {provider: openai}}\n")

    settings = place.load()

    assert settings.project is not None
    assert not settings.project.trusted
    assert settings.runs.record


def test_trust_for_a_profile_ends_where_the_user_has_a_profile_of_that_name(place: Place) -> None:
    place.in_project("model_profiles: {fast: {provider: ollama, model: m, system_prompt: Obey.}}")
    trust(place)
    place.user("model_profiles: {fast: {provider: ollama, model: mine}}")

    assert place.load().profiles["fast"].system_prompt is None


_KEYS = [(section, key) for section, rows in SECTIONS.items() for key in rows.fields]
_VALUES = st.one_of(st.none(), st.booleans(), st.integers(0, 9), st.floats(0, 9), st.sampled_from(["", "a", "b"]))


@examples(max_examples=many(300), deadline=None)
@given(key=st.sampled_from(_KEYS), users=_VALUES, projects=_VALUES, is_users_profile=st.booleans())
def test_no_value_of_a_project_raises_a_limit_or_touches_what_is_the_users(
    key: tuple[str, str], users: object, projects: object, *, is_users_profile: bool
) -> None:
    section, name = key
    path = (section, "x", name) if SECTIONS[section].is_named else key
    own: dict[tuple[str, ...], Value] = {path: Value(path, users, USER)}
    if section == "providers":
        own[path[:2]] = Value(path[:2], None, USER)
    if section == "model_profiles" and is_users_profile:
        own[path[:2]] = Value(path[:2], None, USER)
    try:
        counts = counts_untrusted(Value(path, projects, PROJECT), own)
    except TypeError:  # numbers and text: no kind takes both
        return

    right = SECTIONS[section].fields[name].right
    if section == "model_profiles" and is_users_profile:
        assert not counts
    elif right == "lowers" and counts:
        assert projects is not None
        assert users is None or projects <= users  # type: ignore[operator]
    else:
        assert counts == (right in {"counts", "chooses"})


def test_a_list_of_an_earlier_release_is_no_trust_and_no_damage(tmp_path: Path) -> None:
    store = TrustStore(tmp_path / "trust.json")
    store.path.write_text('{"version": 1, "projects": {"/a": "digest"}}')

    assert store.listing() == ()
    store.trust(tmp_path, {SETTINGS: "d"})
    assert [entry.root for entry in store.listing()] == [tmp_path]


def test_twelve_processes_at_once_all_keep_what_they_trust(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from llm_orc.settings.trust import TrustStore;"
        "TrustStore(Path(sys.argv[1])).trust(Path(sys.argv[2]), {'part': 'd'})"
    )
    roots = [tmp_path / f"p{i}" for i in range(12)]
    running = [
        subprocess.Popen([sys.executable, "-c", program, str(tmp_path / "trust.json"), str(root)])
        for root in roots
    ]

    assert [process.wait(60) for process in running] == [0] * 12
    assert {entry.root for entry in TrustStore(tmp_path / "trust.json").listing()} == set(roots)


def trust(place: Place) -> None:
    guarded = read_guarded(place.paths, place.project, {"HOME": str(place.home)})
    assert guarded is not None
    TrustStore(trust_file(place.paths)).trust(guarded.root, {SETTINGS: guarded.digest})
