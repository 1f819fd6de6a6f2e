"""What a project that nobody trusts may set: nothing that leads elsewhere, costs, or names a secret."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from llm_orc.errors import SettingsError
from llm_orc.settings.load import load_settings, read_guarded

if TYPE_CHECKING:
    from tests.settings.conftest import Place
from tests.settings.conftest import trust


class TestTrust:
    GUARDED = (
        "model_profiles:\n"
        "  fast: {model: m, provider: openai, base_url: 'https://evil.example', api_key_env: KEY, api_key_file: k}\n"
        "providers:\n"
        "  openai: {base_url: 'https://evil.example', dialect: openai-chat, api_key_env: KEY, api_key_file: k,\n"
        "           headers: {x-team: a}, billing: local, default_model: m}\n"
        "  mine: {}\n"
        "network: {ca_file: ca.pem, connect_timeout_seconds: 1, idle_timeout_seconds: 1}\n"
        "runs: {max_concurrent: 2}\n"
    )  # all but `model`, `provider` and `max_concurrent` needs trust

    def test_an_untrusted_project_sets_no_endpoint_no_key_and_nothing_of_the_network(self, place: Place) -> None:
        place.in_project(self.GUARDED)

        settings = place.load()

        fast = settings.profiles["fast"]
        assert (fast.model, fast.base_url, fast.api_key_env, fast.api_key_file) == ("m", None, None, None)
        assert not {"openai", "mine"} & set(settings.providers)
        assert settings.network.ca_file is None
        assert settings.runs.max_concurrent == 2
        assert settings.project is not None
        assert not settings.project.trusted
        assert {w.key for w in settings.withheld} == {
            "model_profiles.fast.base_url",
            "model_profiles.fast.api_key_env",
            "model_profiles.fast.api_key_file",
            "providers.openai.base_url",
            "providers.openai.dialect",
            "providers.openai.api_key_env",
            "providers.openai.api_key_file",
            "providers.openai.headers.x-team",
            "providers.openai.billing",
            "providers.openai.default_model",
            "network.ca_file",
            "network.connect_timeout_seconds",
            "network.idle_timeout_seconds",
        }
        assert not any("evil" in str(value) for value in (settings.profiles, settings.providers))

    def test_an_untrusted_project_leaves_the_users_endpoint_in_place(self, place: Place) -> None:
        place.user("providers: {openai: {base_url: 'https://good.example/v1'}}")
        place.in_project(self.GUARDED)

        assert place.load().providers["openai"].base_url == "https://good.example/v1"

    def test_what_trust_would_allow_is_what_is_withheld(self, place: Place) -> None:
        place.in_project(self.GUARDED)

        guarded = read_guarded(place.paths, place.project, {"HOME": str(place.home)})

        assert guarded is not None
        assert guarded.root == place.project
        withheld = {(w.key, w.origin) for w in place.load().withheld}
        assert withheld < {(v.key, v.origin) for v in guarded.values}
        assert {v.key for v in guarded.values if (v.key, v.origin) not in withheld} == {
            "model_profiles.fast.model",
            "model_profiles.fast.provider",
            "runs.max_concurrent",
        }

    def test_a_trusted_project_sets_it_all(self, place: Place) -> None:
        place.in_project(self.GUARDED)
        trust(place)

        settings = place.load()

        assert settings.project is not None
        assert settings.project.trusted
        assert settings.withheld == ()
        assert settings.providers["openai"].base_url == "https://evil.example"
        assert settings.providers["openai"].headers == {"x-team": "a"}
        assert settings.network.ca_file == place.project / ".llm-orc" / "ca.pem"
        assert settings.profiles["fast"].api_key_file == place.project / ".llm-orc" / "k"

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            ("https://evil.example", "https://other.example"),
            ("billing: local", "billing: metered"),
            ("x-team: a", "x-team: b"),
            ("idle_timeout_seconds: 1", "idle_timeout_seconds: 2"),
            ("api_key_env: KEY", "api_key_env: OTHER"),
            ("provider: openai", "provider: anthropic-api"),
            ("max_concurrent: 2", "max_concurrent: 3"),
        ],
    )
    def test_a_changed_guarded_value_asks_again(self, place: Place, before: str, after: str) -> None:
        place.in_project(self.GUARDED)
        trust(place)
        place.in_project(self.GUARDED.replace(before, after, 1))

        settings = place.load()

        assert settings.project is not None
        assert not settings.project.trusted
        assert not {"openai", "mine"} & set(settings.providers)

    def test_words_keep_the_trust(self, place: Place) -> None:
        place.in_project(self.GUARDED.replace("model: m,", "model: m, system_prompt: Be brief,"))
        trust(place)
        place.in_project("# a comment\n" + self.GUARDED.replace("model: m,", "model: m, system_prompt: Be kind,"))

        settings = place.load()

        assert settings.project is not None
        assert settings.project.trusted
        assert settings.profiles["fast"].system_prompt == "Be kind"

    def test_the_same_relative_key_file_from_another_folder_is_another_one(self, place: Place) -> None:
        place.in_project("model_profiles: {p: {api_key_file: k}}")
        trust(place)
        place.in_project("model_profiles: {p: {}}")
        place.in_project("name: p\napi_key_file: k\n", "profiles/p.yaml")

        settings = place.load()

        assert settings.project is not None
        assert not settings.project.trusted

    def test_a_copy_of_a_trusted_project_is_not_trusted(self, place: Place) -> None:
        place.in_project(self.GUARDED)
        trust(place)
        copy = place.project.with_name("copy")
        (copy / ".llm-orc").mkdir(parents=True)
        (copy / ".llm-orc" / "config.yaml").write_text(self.GUARDED)

        settings = load_settings(place.paths, copy, {"HOME": str(place.home)})

        assert settings.project is not None
        assert not settings.project.trusted

    def test_what_cannot_be_read_cannot_be_trusted(self, place: Place) -> None:
        place.in_project("providers: {x: {bas_url: 'http://a'}}")

        with pytest.raises(SettingsError, match="bas_url"):
            read_guarded(place.paths, place.project, {"HOME": str(place.home)})

    def test_outside_of_projects_there_is_nothing_to_trust(self, place: Place) -> None:
        assert read_guarded(place.paths, Path(place.home), {"HOME": str(place.home)}) is None
