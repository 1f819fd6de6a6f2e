"""Look at what is watched: the input `text`, else the end of the file that the input `file` names."""

from __future__ import annotations

import json
import sys
from pathlib import Path

MOST_BYTES = 40_000  # of the end


def main() -> None:
    inputs = json.load(sys.stdin)["inputs"]
    written = inputs["text"].encode("utf-8", "replace") or _end_of(inputs["file"])
    text = written[-MOST_BYTES:].decode("utf-8", "replace").strip()
    document = {"text": text, "size": len(text), "is_cut": len(written) > MOST_BYTES}
    sys.stdout.buffer.write(json.dumps(document, ensure_ascii=False).encode("utf-8", "replace"))


def _end_of(name: str) -> bytes:
    if not name:
        return b""
    file = Path(name).expanduser()
    if not file.is_file():
        sys.exit(f"`{file}` is no file")
    with file.open("rb") as stream:
        stream.seek(max(0, file.stat().st_size - MOST_BYTES - 1))
        return stream.read()


if __name__ == "__main__":
    main()
