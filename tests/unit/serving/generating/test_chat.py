"""Chat templates: rendered as transformers does, and harmless."""

from __future__ import annotations

import pytest
from tests.unit.serving.generating.toy import TEMPLATE

from tuneloop.api import RequestError
from tuneloop.serving.generating.chat import ChatTemplate

TALK = [{"role": "system", "content": "be kind"}, {"role": "user", "content": "hello"}]


def test_messages_become_a_prompt():
    assert ChatTemplate(TEMPLATE, {}).render(TALK) == "<|system|>be kind\n<|user|>hello\n<|assistant|>"
    assert ChatTemplate("{{ bos_token }}{{ messages|length }}", {"bos_token": "<s>"}).render(TALK) == "<s>2"


def test_it_is_what_transformers_renders():
    chat = pytest.importorskip("transformers.utils.chat_template_utils")
    for template in (TEMPLATE, "{% for m in messages %}{{ m | tojson }}{% endfor %}{{ 'é' | tojson }}"):
        theirs, _ = chat.render_jinja_template([TALK], chat_template=template, add_generation_prompt=True)
        assert ChatTemplate(template, {}).render(TALK) == theirs[0]


@pytest.mark.parametrize(
    "template",
    [
        "{{ raise_exception('never') }}",
        "{{ messages[0].content.__class__.__mro__ }}",
        "{{ ''.__class__.__subclasses__() }}",
        "{{ messages.append(1) }}",
        "{{ messages[9].role.x }}",
        "{% for i in range(10**9) %}{% endfor %}",
        "{{ 1 / 0 }}",
    ],
)
def test_what_a_template_may_not_do_is_refused(template):
    with pytest.raises(RequestError) as refused:
        ChatTemplate(template, {}).render(TALK)
    assert refused.value.field == "messages"
