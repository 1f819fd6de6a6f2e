from __future__ import annotations

from pathlib import Path

import pytest

from llm_orc.ensembles.check import Findings, check
from llm_orc.ensembles.parse import parse_ensemble_text
from llm_orc.settings.model import ModelProfile, Origin, ProviderSettings, Settings, Withheld

_USER = Origin("user", Path("/home/me/config.yaml"), 7)


def profile(
    name: str, provider: str | None = None, model: str | None = None, fallback: str | None = None
) -> ModelProfile:
    return ModelProfile(name, _USER, provider=provider, model=model, fallback_model_profile=fallback)


def findings(agents: str, *profiles: ModelProfile, settings: Settings | None = None) -> Findings:
    own = settings or Settings(profiles={p.name: p for p in (profile("default"), *profiles)})
    return check(parse_ensemble_text(f"name: x\nagents:\n{agents}"), own)


def test_an_ensemble_of_known_names_is_fine() -> None:
    found = findings(
        "- {name: a}\n- {name: b, model_profile: fast}\n- {name: c, provider: openai}\n"
        "- {name: d, provider: openai-compatible/lab, model: m}\n- {name: e, model: ollama}\n",
        profile("fast", "openai", "m", fallback="slow"),
        profile("slow", "ollama"),
    )

    assert found == Findings()


@pytest.mark.parametrize(
    ("agent", "place", "says", "hint"),
    [
        ("{name: a, model_profile: fsat}", (3, 28), "uses the model profile `fsat`", "Did you mean `fast`?"),
        (
            "{name: a, fallback_model_profile: fsat}",
            (3, 37),
            "uses the model profile `fsat`",
            "Did you mean `fast`?",
        ),
        ("{name: a, provider: opnai}", (3, 23), "names the unknown provider `opnai`", "Did you mean `openai`"),
        (
            "{name: a, provider: openai-compatible/}",
            (3, 23),
            "names the unknown provider `openai-compatible/`",
            "Did you",
        ),
        ("{name: a, model: gpt}", (3, 20), "names the model `gpt` but no provider", "Add `provider:` beside it"),
        ("{name: a, model: fast}", (3, 20), "names the model `fast` but no provider", "write `model_profile:`"),
        ("{name: a, provider: zzz}", (3, 23), "names the unknown provider `zzz`", "Known are: "),
    ],
)
def test_an_unknown_name_is_a_problem_at_its_place(
    agent: str, place: tuple[int, int], says: str, hint: str
) -> None:
    [problem] = findings(f"- {agent}", profile("fast", "openai")).problems

    assert (problem.line, problem.column) == place
    assert says in problem.message
    assert hint in (problem.hint or "")


def test_a_provider_of_the_settings_is_known() -> None:
    settings = Settings(providers={"lab": ProviderSettings("lab")})

    assert findings("- {name: a, provider: lab}", settings=settings) == Findings()


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (profile("bad", "opnai"), "model profile `bad` names the unknown provider `opnai`"),
        (profile("bad", model="gpt"), "model profile `bad` has a model but no provider"),
    ],
)
def test_a_profile_is_checked_where_it_is_used_and_once(bad: ModelProfile, says: str) -> None:
    good = profile("good", "openai", fallback="bad")

    used = findings("- {name: a, model_profile: good}\n- {name: b, model_profile: bad}", good, bad)
    unused = findings("- {name: a}", good, bad)

    [problem] = used.problems
    assert says in problem.message
    assert (problem.file, problem.line) == (_USER.file, _USER.line)
    assert unused == Findings()


def test_a_provider_that_waits_for_trust_says_how_to_give_it() -> None:
    settings = Settings(withheld=(Withheld("providers.lab.base_url", _USER),))

    [problem] = findings("- {name: a, provider: lab}", settings=settings).problems

    assert "llm-orc trust" in (problem.hint or "")


def test_what_has_no_effect_is_a_warning() -> None:
    found = findings(
        "- name: a\n  requires: any\n  within: 3\n- name: b\n  fallback_model_profile: default\n",
    )

    assert found.problems == ()
    assert [(w.line, w.column) for w in found.warnings] == [(4, 3), (5, 3), (7, 3)]


def test_a_cycle_of_fallbacks_is_a_warning_where_it_is_used() -> None:
    first, second = (
        profile("first", "ollama", "m", fallback="second"),
        profile("second", "zzz", "m", fallback="first"),
    )

    unused = findings("- {name: a}\n", first, second)
    used = findings("- {name: a, model_profile: first}\n- {name: b, model_profile: second}\n", first, second)

    assert unused == Findings()
    assert [p.message for p in used.warnings] == [
        "profiles fall back in a cycle: `first → second → first`; each is tried once"
    ]
    assert [p.message for p in used.problems] == ["model profile `second` names the unknown provider `zzz`"]
