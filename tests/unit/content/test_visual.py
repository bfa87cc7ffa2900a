"""An MJML document as the visual editor has it: back without a change, and nothing harmful in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailer.content.campaign_file import CampaignSource, read_campaign
from mailer.content.compile import campaign_in_mjml, compile_campaign
from mailer.content.visual import design_of, document_of, read_tree
from mailer.errors import Refused
from tests.support.designs import EVERYTHING

HEAD = "---\nslug: spring\nsubject: Spring\nlists: [news]\n---\n"
MARKDOWN = """# Spring {{ first_name }}

{{ greeting }}

A *short* text with `code` and a [link](https://example.org/?a=1&b=2). {% if first_name %}Hello{% endif %}

1. one
2. two

> A word

::: callout
Mind the step.
:::

::: checklist
- one
- two
:::

::: button https://example.org Go
:::

| a | b |
|---|--:|
| 1 | 2 |

---

```mjml
<mj-divider />
```
"""


def source_of(folder: Path, name: str, body: str) -> CampaignSource:
    (folder / name).write_text(HEAD + body, encoding="utf-8")
    source = read_campaign(folder / name, [], is_translation=False)
    assert source is not None
    return source


def inside(text: str) -> str:
    return f"<mjml><mj-body><mj-section><mj-column>{text}</mj-column></mj-section></mj-body></mjml>"


def test_a_document_comes_back_as_it_was_written_with_every_tag_in_it() -> None:
    assert document_of(_tree(EVERYTHING)) == EVERYTHING
    spread = EVERYTHING.replace("  ", "").replace("\n", "\n\n")
    assert document_of(_tree(spread)) == EVERYTHING, "its own spaces between components are not kept"


def test_the_mail_is_the_same_before_and_after(tmp_path: Path) -> None:
    body = EVERYTHING.replace('        <mj-image src="media/none.png" alt="A lamp" />\n', "")
    spread = body.replace("  ", " ")
    before, problems = compile_campaign(source_of(tmp_path, "a.mjml", spread), {})
    after, _ = compile_campaign(source_of(tmp_path, "b.mjml", document_of(_tree(spread))), {})
    assert before is not None, problems
    assert before == after


def test_what_a_browser_made_of_a_tag_is_put_right() -> None:
    link = '<a href="{{ x|default(&quot;y&quot;) }}">z</a>'
    typed = "{% if a &lt; 3 &amp;&amp; b %}{{&nbsp;first_name }}\xa0" + link
    tree = read_tree('{"tag": "mjml", "attributes": {}, "children": []}')
    tree["children"] = [{"tag": "mj-text", "attributes": {"onclick": "x", "color": ""}, "content": typed}]
    written = '{% if a < 3 && b %}{{ first_name }}&nbsp;<a href="{{ x|default("y") }}">z</a>'
    assert document_of(tree) == f"<mjml>\n  <mj-text>{written}</mj-text>\n</mjml>\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("<mj-text><script>x</script></mj-text>", "`<script>` cannot stand inside `<mj-text>`."),
        ('<mj-text><b onclick="x">a</b></mj-text>', "`<b>` has the attribute `onclick`."),
        ('<mj-text><a href="java&#10;script:x">a</a></mj-text>', "does not work in a mail"),
        ('<mj-button href="data:text/html,x">a</mj-button>', "does not work in a mail"),
        ('<mj-image src="javascript:x" />', "does not work in a mail"),
        ("<mj-raw><b>x</b></mj-raw>", "`<mj-raw>` cannot stand in `<mj-column>`."),
        ('<mj-text style="x">a</mj-text>', "`<mj-text>` has no attribute `style`."),
        ('<mj-text><p style="background:url(https://e.org)">a</p></mj-text>', "holds an address"),
        ("<mj-text><?php x ?></mj-text>", "begins an instruction to a program"),
        ("<mj-text>a", "is opened and never closed"),
        ("{% if a %}<mj-text>a</mj-text>{% endif %}", "Text or a control tag stands in `<mj-column>`"),
        ("<mj-text>{{ a </mj-text>", "is opened and not closed"),
    ],
)
def test_what_no_mail_may_hold_is_not_given_to_a_browser(text: str, told: str) -> None:
    design = design_of(inside(text))
    assert design.tree is None
    assert any(told in what for _, what, _ in design.problems), design.problems


def test_what_is_only_missing_may_be_put_in_with_the_editor() -> None:
    design = design_of(inside('<mj-image src="" /><mj-button>Go</mj-button>'))
    assert design.tree is not None


def test_comments_between_components_are_counted_for_they_would_be_lost() -> None:
    body = "<!-- one --><mj-text>a {# stays #}</mj-text>{# two #}"
    design = design_of(inside(body))
    assert design.tree is not None
    assert design.comments == 2
    assert "{# stays #}" in document_of(design.tree)


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "[]",
        '{"tag": "b"}',
        '{"tag": "mjml", "attributes": {}}',
        '{"tag": "mjml", "attributes": {}, "children": [{"tag": "script", "attributes": {}}]}',
        '{"tag":"mjml","attributes":{},"children":[' * 11 + "]}" * 11,
        "[" * 100_000,
    ],
)
def test_what_is_no_tree_is_refused(sent: str) -> None:
    with pytest.raises(Refused, match="cannot be read"):
        document_of(read_tree(sent))


def test_our_layout_written_out_makes_the_mail_that_markdown_made(tmp_path: Path) -> None:
    markdown = source_of(tmp_path, "spring.md", MARKDOWN)
    document, problems = campaign_in_mjml(markdown, {})
    assert document is not None, problems
    design = design_of(document)
    assert design.problems == ()
    assert design.tree is not None
    own, found = compile_campaign(source_of(tmp_path, "spring.mjml", document_of(design.tree)), {})
    assert found == []
    plain, _ = compile_campaign(markdown, {})
    assert own is not None
    assert plain is not None
    # All but what stands in the layout's head: rules for dark screens and phones.
    for part in (
        'class="card callout"',
        "{% if first_name %}Hello{% endif %}",
        "https://example.org/?a=1&amp;b=2",
    ):
        assert part in own.html
        assert part in plain.html


def test_the_text_part_has_its_lines_and_no_gap_where_something_is_left_out(tmp_path: Path) -> None:
    said = (
        "<mj-text><p>One</p>{% if first_name %}<p>Two<br>lines</p>{% endif %}"
        "<ul><li><p>a</p></li><li>b</li></ul><table><tr><td>1</td><td>2</td></tr></table></mj-text>"
        '<mj-text>{{ sender.postal_address }} <a href="https://example.org">x</a>'
        '<a href="{{ links.unsubscribe }}">y</a></mj-text>'
    )
    message, problems = compile_campaign(source_of(tmp_path, "a.mjml", inside(said)), {})
    assert message is not None, problems
    text = (
        "One{% if first_name %}\n\nTwo\nlines{% endif %}\n\n- a\n- b\n\n1 2\n\n"
        "{{ sender.postal_address }} x <https://example.org> y\n<{{ links.unsubscribe }}>"
    )
    assert text in message.text


def _tree(source: str) -> dict[str, object]:
    design = design_of(source)
    assert design.tree is not None, design.problems
    return design.tree
