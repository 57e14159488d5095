from __future__ import annotations

from types import SimpleNamespace

from tuneloop.pipeline.delivering.package import bento_home, signature_of
from tuneloop.serving.packaging.bento import bento_folder
from tuneloop.serving.trust.signature import SIGNATURE


def test_a_version_is_signed_by_the_signature_of_its_bento(tmp_path):
    project = SimpleNamespace(name="desk", state=tmp_path)
    assert signature_of(project, "3") is None
    file = bento_folder(bento_home(tmp_path), "desk:3") / SIGNATURE
    file.parent.mkdir(parents=True)
    file.write_text("an envelope")
    assert signature_of(project, "3") == "an envelope"
    assert signature_of(project, "4") is None
