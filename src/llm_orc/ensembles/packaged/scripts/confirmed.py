"""Join the findings of a review with what verifying each of them has said, and say whether they block.

Reads `evidence` (its `kept` findings) and `verify`, a list with one answer for each of them. A finding that could
not be verified stays, marked: unknown is not refuted. The input `fail_on` says which findings block.
"""

from __future__ import annotations

import json
import sys
from typing import Any

_ORDER = {"high": 0, "medium": 1, "low": 2}


def main() -> None:
    told = json.load(sys.stdin)
    reviews = told["dependencies"]
    evidence = reviews["evidence"]["data"]
    judged = reviews["verify"]["data"] or []
    found = evidence["kept"]
    findings = [
        merged(finding, judged[i] if i < len(judged) else {"failed": True}) for i, finding in enumerate(found)
    ]
    kept = sorted((one for one in findings if one["holds"] is not False), key=lambda one: _ORDER[one["severity"]])
    blocks = {"never": [], "high": ["high"], "any": [*_ORDER]}[told["inputs"]["fail_on"]]
    document = {
        "findings": kept,
        "refuted": len(findings) - len(kept),
        "without_evidence": evidence["dropped"],
        "blocking": any(one["severity"] in blocks for one in kept),
    }
    sys.stdout.buffer.write(json.dumps(document, ensure_ascii=False).encode("utf-8", "replace"))


def merged(finding: dict[str, Any], judged: dict[str, Any]) -> dict[str, Any]:
    kept = {key: finding[key] for key in ("file", "quote", "fault", "severity")}
    if judged.get("failed"):
        return {**kept, "holds": None, "why": "it could not be verified"}
    return {**kept, "severity": judged["severity"], "holds": judged["holds"], "why": judged["why"]}


if __name__ == "__main__":
    main()
