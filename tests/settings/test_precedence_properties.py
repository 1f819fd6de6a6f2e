"""Whatever is set where: the highest layer that sets a value wins, and its origin says so, once it is trusted."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from llm_orc.settings.load import load_settings, read_guarded, trust_file
from llm_orc.settings.trust import SETTINGS, TrustStore
from llm_orc.storage.paths import Paths
from tests.examples import many

_KEYS = st.dictionaries(
    st.sampled_from(["model", "system_prompt", "provider"]), st.text("abc: #'\"", min_size=1).filter(str.strip)
)
_PROFILES = st.dictionaries(st.sampled_from(["default", "a", "b.c"]), _KEYS)
_RUNS = st.dictionaries(st.sampled_from(["max_concurrent", "max_retries", "keep_days"]), st.integers(1, 99))


@settings(max_examples=many(60), deadline=None)
@given(layers=st.tuples(_PROFILES, _PROFILES, _PROFILES), runs=st.tuples(_RUNS, _RUNS, _RUNS, _RUNS))
def test_the_highest_layer_that_sets_a_value_wins(
    layers: tuple[dict[str, dict[str, str]], ...], runs: tuple[dict[str, int], ...]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder).resolve()
        files = [
            home / "config" / "config.yaml",
            home / "p/.llm-orc/config.yaml",
            home / "p/.llm-orc/config.local.yaml",
        ]
        for file, profiles, own_runs in zip(files, layers, runs, strict=False):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps({"model_profiles": profiles, "runs": own_runs}))
        flags = {f"runs.{key}": value for key, value in runs[3].items()}

        paths = Paths(home / "config", home, home)
        guarded = read_guarded(paths, home / "p", {"HOME": str(home)})
        assert guarded is not None
        TrustStore(trust_file(paths)).trust(guarded.root, {SETTINGS: guarded.digest})

        merged = load_settings(paths, home / "p", {"HOME": str(home)}, flags)

    for name in {name for layer in layers for name in layer}:
        for key in ("model", "system_prompt", "provider"):
            setters = [i for i, layer in enumerate(layers) if key in layer.get(name, {})]
            expected = layers[setters[-1]][name][key] if setters else None
            assert getattr(merged.profiles[name], key) == expected
            if setters:
                assert merged.origins[f"model_profiles.{name}.{key}"].file == files[setters[-1]]
    for key, default in (("max_concurrent", None), ("max_retries", 4), ("keep_days", 90)):
        given_values = [layer[key] for layer in runs if key in layer]
        assert getattr(merged.runs, key) == (given_values[-1] if given_values else default)
