"""How files that agents run are named in work and records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.agents.kinds import needs_of
from llm_orc.agents.script.places import file_at, is_packaged, place_of
from llm_orc.agents.script.work import ScriptWork
from llm_orc.ensembles.surroundings import PACKAGED

if TYPE_CHECKING:
    from pathlib import Path

LOOK = PACKAGED / "scripts" / "look.py"


def test_a_file_that_comes_along_has_the_same_place_wherever_the_program_is_installed() -> None:
    place = place_of(LOOK)

    assert place == "packaged:ensembles/packaged/scripts/look.py"
    assert (file_at(place), is_packaged(place)) == (LOOK, True)


def test_any_other_file_is_at_its_path_also_one_that_is_reached_from_ours(tmp_path: Path) -> None:
    beside = PACKAGED / ".." / ".." / ".." / "other.py"

    for file in (tmp_path / "a.py", beside):
        assert (place_of(file), file_at(str(file)), is_packaged(place_of(file))) == (str(file), file, False)
    assert not is_packaged("packaged:../other.py")


def test_work_of_an_earlier_record_needs_the_same_as_that_of_today() -> None:
    before = ScriptWork(("look.py",), str(LOOK), digests={str(LOOK): "d"})
    now = ScriptWork(("look.py",), place_of(LOOK), digests={place_of(LOOK): "d"})

    assert needs_of(before) == needs_of(now)
    assert str(LOOK) not in str(needs_of(now).programs[0].digests)
