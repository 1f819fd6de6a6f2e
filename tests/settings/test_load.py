from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
import yaml

from llm_orc.errors import ProfileNotFound, SettingsError
from llm_orc.settings.load import load_settings
from llm_orc.settings.profiles import circle_of_fallbacks, default_profile, find_profile
from tests.settings.conftest import trust

if TYPE_CHECKING:
    from tests.settings.conftest import Place


# What the transport says by itself: a second one of these would break or smuggle requests.
OF_HTTP = ["Host", "content-length", "Transfer-Encoding", "connection", "TE", "upgrade", "content-type", "Expect"]


def test_without_any_file_there_is_the_default_profile_that_chooses_by_itself(place: Place) -> None:
    settings = place.load()

    default = settings.profiles["default"]
    assert (default.provider, default.model, default.origin.layer) == (None, None, "packaged")
    assert settings.project is None


def test_profiles_merge_value_by_value_and_every_value_knows_its_origin(place: Place) -> None:
    user = place.user(
        "model_profiles:\n  fast:\n    provider: openai\n    model: small\n    options: {top_p: 0.5, seed: 1}\n"
    )
    project = place.in_project("model_profiles:\n  fast:\n    model: smaller\n    options: {seed: 2}\n")
    trust(place)

    settings = place.load()

    fast = settings.profiles["fast"]
    assert (fast.provider, fast.model, fast.options) == ("openai", "smaller", {"top_p": 0.5, "seed": 2})
    origins = settings.origins
    assert (origins["model_profiles.fast.provider"].file, origins["model_profiles.fast.provider"].line) == (
        user,
        3,
    )
    assert origins["model_profiles.fast.model"].file == project
    assert origins["model_profiles.fast.options.seed"].layer == "project"
    assert fast.origin.file == project


def test_files_of_one_folder_count_in_their_order_local_ones_last(place: Place) -> None:
    place.user("model_profiles: {p: {model: config, provider: a, temperature: 0.1, max_tokens: 1}}")
    place.user("name: p\nmodel: profile\ntemperature: 0.2\nmax_tokens: 2\n", "profiles/p.yaml")
    place.user("model_profiles: {p: {temperature: 0.3, max_tokens: 3}}", "config.local.yaml")
    place.user("name: p\nmax_tokens: 4\n", "profiles/a.local.yaml")

    profile = place.load().profiles["p"]

    assert (profile.provider, profile.model) == ("a", "profile")
    assert (profile.temperature, profile.max_tokens) == (0.3, 4)


def test_an_empty_value_takes_back_what_a_lower_layer_says(place: Place) -> None:
    place.user("runs:\n  keep_days:\n")

    assert place.load().runs.keep_days is None


@pytest.mark.parametrize("top", ["user", "project", "environment", "flag"])
def test_a_higher_layer_wins(place: Place, top: str) -> None:
    layers = ["user", "project", "environment", "flag"]
    given = layers[: layers.index(top) + 1]
    place.user("runs: {max_concurrent: 1}")
    if "project" in given:
        place.in_project("runs: {max_concurrent: 2}")
        trust(place)

    settings = place.load(
        {"LLM_ORC_MAX_CONCURRENT": "3"} if "environment" in given else {},
        {"runs.max_concurrent": 4 if "flag" in given else None},
    )

    assert settings.runs.max_concurrent == len(given)
    assert settings.origins["runs.max_concurrent"].layer == top


def test_the_environment_sets_what_its_table_says(place: Place) -> None:
    settings = place.load(
        {
            "LLM_ORC_RECORD": "off",
            "LLM_ORC_KEEP_DAYS": "7",
            "LLM_ORC_TIMEOUT_SECONDS": "1.5",
            "LLM_ORC_MAX_RETRIES": "0",
            "LLM_ORC_CA_FILE": "~/ca.pem",
            "LLM_ORC_CONNECT_TIMEOUT_SECONDS": "2",
            "LLM_ORC_IDLE_TIMEOUT_SECONDS": " 3 ",
            "LLM_ORC_MAX_CONCURRENT": "",
        }
    )

    assert (settings.runs.record, settings.runs.keep_days, settings.runs.timeout_s) == (False, 7, 1.5)
    assert (settings.runs.max_retries, settings.runs.max_concurrent) == (0, None)
    assert settings.network.ca_file == place.home / "ca.pem"
    assert (settings.network.connect_timeout_s, settings.network.idle_timeout_s) == (2.0, 3.0)


def test_relative_paths_count_from_the_file_that_names_them(place: Place) -> None:
    place.user("network: {ca_file: certs/ca.pem}\nproviders: {openai: {api_key_file: ~/key}}")

    settings = place.load()

    assert settings.network.ca_file == place.paths.config / "certs/ca.pem"
    assert settings.providers["openai"].api_key_file == place.home / "key"


def test_all_problems_of_all_files_come_at_once_with_their_places(place: Place) -> None:
    user = place.user("providers:\n  fast:\n    dialcet: x\n    max_concurrent: soon\nruns: {record: yes}\n")
    project = place.in_project("network: [\n")
    local = place.in_project("runs: {max_concurrent: 0}", "config.local.yaml")

    with pytest.raises(SettingsError) as raised:
        place.load({"LLM_ORC_KEEP_DAYS": "many"}, {"runs.max_retries": -1})

    message = str(raised.value)
    assert f"{user}:3:5: `providers.fast` has no key `dialcet` (Did you mean `dialect`?)" in message
    assert f"{user}:4:21: `max_concurrent` must be a whole number, not text" in message
    assert f"{user}:5:16: `record` must be `true` or `false`" in message
    assert f"{project}:2:1: is not valid YAML" in message
    assert f"{local}:1:24: `max_concurrent` must be at least 1" in message
    assert "`LLM_ORC_KEEP_DAYS` must be a whole number" in message
    assert "`runs.max_retries` must be at least 0" in message


def test_sections_of_earlier_releases_are_noticed_and_do_no_harm(place: Place) -> None:
    path = place.user("performance: {concurrency: 3}\nmodel_profile: {}\n")

    settings = place.load()

    assert str(settings.notices[0]).startswith(f"{path}:1:1: `performance` is not a setting")
    assert settings.notices[1].hint == "Did you mean `model_profiles`?"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("providers: {x: {headers: {Authorization: Bearer sk-canary}}}", "`Authorization` looks like one"),
        ("providers: {x: {headers: {X-Api-Key: sk-canary}}}", "`X-Api-Key` looks like one"),
        ("providers: {x: {headers: {'a b': sk-canary}}}", "valid header names"),
        *((f"providers: {{x: {{headers: {{{name}: sk-canary}}}}}}", f"`{name}` is that") for name in OF_HTTP),
        ("providers: {x: {headers: {x-a: sk-canary, X-A: b}}}", "stands twice"),
        ('providers: {x: {headers: {a: "sk-canary\\r\\nb: c"}}}', "one line of ASCII"),
        ("providers: {x: {api_key: sk-canary}}", "has no key `api_key`"),
        ("providers: {x: {api_key_env: sk-canary}}", "the name of an environment variable"),
        ("providers: {x: {base_url: 'https://me:sk-canary@host/v1'}}", "without a user name or password"),
        ("providers: {x: {base_url: 'https://host/v1?key=sk-canary'}}", "an address like"),
        ("providers: {x: {base_url: 'ftp://sk-canary/'}}", "an address like"),
    ],
)
def test_what_may_hold_a_secret_is_refused_and_never_repeated(place: Place, text: str, says: str) -> None:
    place.user(text)

    with pytest.raises(SettingsError) as raised:
        place.load()

    assert says in str(raised.value)
    assert "sk-canary" not in str(raised.value)


def test_fallbacks_must_exist_and_each_is_tried_once(place: Place) -> None:
    path = place.user(
        "model_profiles:\n"
        "  a: {fallback_model_profile: b}\n"
        "  b: {fallback_model_profile: a}\n"
        "  c: {fallback_model_profile: defualt}\n"
        "  d: {fallback_model_profile: a}\n"
        "  e: {fallback_model_profile: e}\n"
    )

    settings = place.load()

    assert {name: [str(p) for p in found] for name, found in settings.broken_profiles.items()} == {
        "c": [f"{path}:4:7: profile `c` falls back to `defualt`, which does not exist"],
    }
    assert settings.broken_profiles["c"][0].hint == "Did you mean `default`?"
    circles = {name: circle_of_fallbacks(settings.profiles, name) for name in ("a", "b", "d", "e", "default")}
    assert circles == {
        "a": ("a", "b", "a"),
        "b": ("b", "a", "b"),
        "d": ("a", "b", "a"),
        "e": ("e", "e"),
        "default": (),
    }


def test_an_unknown_profile_names_the_nearest(place: Place) -> None:
    place.user("model_profiles: {Fast: {}, slow: {}}")

    with pytest.raises(ProfileNotFound, match="`fsat`") as raised:
        find_profile(place.load(), "fsat")

    assert raised.value.hint == "Did you mean `Fast`?"


def test_a_profile_file_needs_a_name(place: Place) -> None:
    path = place.user("model: x\n", "profiles/x.yaml")

    with pytest.raises(SettingsError) as raised:
        find_profile(place.load(), "x")

    assert f"{path}:1:1: a profile's file needs a `name`" in str(raised.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("modle: x", "`model_profiles.slow` has no key `modle`"),
        ("timeout_seconds: soon", "`timeout_seconds` must be a number"),
        ("api-key: sk-canary", "has no key `api-key`"),
        ("model: '${MODEL}'", "placeholders are not filled in here"),
        ("temperature: [", "is not valid YAML"),
    ],
)
@pytest.mark.parametrize("is_file", [True, False])
def test_a_broken_profile_is_the_problem_of_those_who_use_it(
    place: Place, text: str, says: str, is_file: bool
) -> None:
    if is_file:
        path = place.user(f"name: slow\n{text}\n", "profiles/slow.yaml")
    elif "[" in text:
        pytest.skip("a file that is no YAML says nothing of any profile")
    else:
        path = place.user(f"model_profiles:\n  fast: {{provider: ollama}}\n  slow: {{{text}}}\n")

    settings = place.load()
    with pytest.raises(SettingsError) as raised:
        find_profile(settings, "slow")

    assert f"{path}:" in str(raised.value)
    assert says in str(raised.value)
    assert "sk-canary" not in str(raised.value)
    assert "slow" not in settings.profiles
    assert find_profile(settings, "default").name == "default"


def test_a_key_of_another_release_in_a_profile_is_a_notice(place: Place) -> None:
    path = place.user("name: local\nprovider: ollama\nhf_repo: a/b\n", "profiles/local.yaml")

    settings = place.load()

    assert find_profile(settings, "local").provider == "ollama"
    assert [n for n in map(str, settings.notices) if f"{path}:3:1" in n and "`hf_repo`" in n] != []


def test_a_file_of_several_profiles_is_read(place: Place) -> None:
    """Earlier releases wrote such files."""
    place.user("model_profiles: {a: {provider: ollama}, b: {provider: openai}}\n", "profiles/all.yaml")

    assert {"a", "b"} <= place.load().profiles.keys()


def test_a_broken_default_leaves_the_rest_usable(place: Place) -> None:
    place.user("model_profiles: {default: {provider: 3}}\n")

    settings = place.load()

    assert default_profile(settings).provider is None
    with pytest.raises(SettingsError, match="`default` can't be used"):
        find_profile(settings, "default")


def test_an_untrusted_project_breaks_no_profile_of_the_users(place: Place) -> None:
    place.user("model_profiles: {fast: {provider: ollama}}\n")
    place.in_project(
        "model_profiles: {fast: {timeout_seconds: soon}, default: {provider: 3}, own: {provider: 3}}\n"
    )

    settings = place.load()

    assert settings.broken_profiles.keys() == {"own"}
    assert find_profile(settings, "fast").provider == "ollama"


@pytest.mark.parametrize("content", ["canary", "canary: 1", "runs: {canary: 1}", "name: [canary", "*canary"])
@pytest.mark.parametrize("name", ["config.yaml", "profiles/p.yaml"])
def test_a_link_in_a_project_shows_nothing_of_what_it_leads_to(place: Place, content: str, name: str) -> None:
    private = place.home / "private"
    private.write_text(content)
    link = place.in_project("", name)
    link.unlink()
    link.symlink_to(private)

    with pytest.raises(SettingsError, match="is a link") as raised:
        place.load()

    assert "canary" not in str(raised.value)


def test_the_project_is_found_upward_and_the_nearest_with_settings_counts(place: Place) -> None:
    place.in_project("runs: {max_concurrent: 2}")
    below = place.project / "a" / "b"
    (below / ".llm-orc" / "ensembles").mkdir(parents=True)

    settings = load_settings(place.paths, below, {"HOME": str(place.home)})

    assert settings.runs.max_concurrent == 2
    assert settings.project is not None
    assert settings.project.root == place.project


def test_the_users_own_folders_are_no_project(place: Place) -> None:
    (place.home / ".llm-orc").mkdir()
    (place.home / ".llm-orc" / "config.yaml").write_text("runs: {max_concurrent: 9}")

    settings = load_settings(place.paths, place.home / "work", {"HOME": str(place.home)})

    assert settings.project is None
    assert settings.runs.max_concurrent is None


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_folder_is_a_problem_with_its_path(place: Place) -> None:
    profiles = place.user("name: x\n", "profiles/x.yaml").parent
    profiles.chmod(0)

    try:
        with pytest.raises(SettingsError, match="Permission denied"):
            place.load()
    finally:
        profiles.chmod(0o700)


@pytest.mark.parametrize(
    ("key", "written"),
    [
        ("model_profiles.x.model", "${MODEL}"),
        ("model_profiles.x.provider", "$PROVIDER"),
        ("model_profiles.x.base_url", "https://${HOST}/v1"),
        ("model_profiles.x.api_key_file", "$HOME/openai.key"),
        ("model_profiles.x.api_key_file", "%USERPROFILE%/openai.key"),
        ("providers.x.base_url", "https://{{host}}/v1"),
        ("providers.x.default_model", "{env:MODEL}"),
        ("providers.x.headers.x-team", "$(hostname)"),
        ("providers.x.oauth.client_id", "${CLIENT_ID}"),
        ("providers.x.oauth.extra_token_params.audience", "${AUDIENCE}"),
        ("network.ca_file", "$CA_FILE"),
        ("batch.store", "postgresql://${HOST}/batches"),
    ],
)
def test_a_placeholder_is_filled_in_by_nobody_and_refused(place: Place, key: str, written: str) -> None:
    content: object = written
    for name in reversed(key.split(".")):
        content = {name: content}
    place.user(yaml.safe_dump(content))

    with pytest.raises(SettingsError, match="placeholders are not filled in here") as refused:
        find_profile(place.load(), "x")

    assert "api_key_env: NAME" in str(refused.value)


@pytest.mark.parametrize("model", ["org/model:7b-q4_K_M", "a$b", "100%", "{x}", "~m", "a%20b"])
def test_what_only_looks_odd_is_taken(place: Place, model: str) -> None:
    place.user(yaml.safe_dump({"model_profiles": {"x": {"provider": "openai", "model": model}}}))

    assert place.load().profiles["x"].model == model
