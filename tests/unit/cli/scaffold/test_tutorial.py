"""plugins/README.md, block by block, in a fresh folder of a fresh environment."""

from __future__ import annotations

import re
from pathlib import Path

REPOSITORY = Path(__file__).parents[4]
README = (REPOSITORY / "plugins" / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+) ?([^\n]*)\n(.*?)^```$", re.M | re.S)


def test_every_block_works(fresh, tmp_path):
    lines = ["set -eu"]
    blocks = BLOCK.findall(README)
    for language, place, text in blocks:
        if language == "sh":
            lines.append(text)
        elif language == "python":
            assert place, "a Python block names the file that it is"
            lines.append(f"cat > {place} <<'END_OF_BLOCK'\n{text}END_OF_BLOCK\n")
    assert sum(language == "sh" for language, *_ in blocks) >= 4
    done = fresh.run("bash", "-c", "\n".join(lines), cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr
    assert "alarm_cost" in done.stdout
    assert "Nothing is wrong." in done.stdout
    assert list((tmp_path / "tuneloop-alarm-cost" / "dist").glob("*.whl"))


def test_it_is_short():
    assert len(README.splitlines()) < 130
