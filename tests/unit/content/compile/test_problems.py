"""What an author is told: every problem of a mail at once, each with its line."""

from __future__ import annotations

import pytest

from tests.support.mails import Write

A_BODY_FULL_OF_MISTAKES = """\
{{ greeting }} and {{ frist_name }}

Some <b>bold words that never end.

<div class="box">
A box in HTML.

{% if name %}Take the dog.

::: hint
There is no such block.
:::

![](media/gone.png)

[Read on](read-on.html) or [run](javascript:alert(1))

{{ first_name | shout }} and {{ fields.city }}

::: action
This one is never closed.
"""


def test_all_problems_are_found_in_one_go_each_with_its_line(write: Write) -> None:
    written = write(A_BODY_FULL_OF_MISTAKES)
    assert written.message is None
    assert [(line, what) for line, what in written.faults] == [
        (7, "There is no variable `frist_name`."),
        (9, "`<b>` is opened and never closed."),
        (11, "`<div>` is opened and never closed."),
        (14, "`{% if name %}` is not closed in the same paragraph, at the same level of emphasis."),
        (16, "There is no block `hint`."),
        (20, "The picture media/gone.png has no alternative text."),
        (20, "There is no picture media/gone.png (.gif, .jpeg, .jpg, .png)."),
        (22, "The link to `javascript:alert(1)` does not work in a mail."),
        (22, "The link to `read-on.html` does not work in a mail."),
        (24, "There is no filter `shout`."),
        (24, "`fields.city` has no default, and not every reader has this field."),
        (26, "The block `::: action` is not closed."),
    ]


def test_every_problem_names_its_file_and_says_how_to_mend_it(write: Write) -> None:
    problems = write(A_BODY_FULL_OF_MISTAKES).problems
    assert {problem.path for problem in problems} == {"01-a-step.md"}
    assert all(problem.fix.endswith((".", "?")) for problem in problems)
    assert "Did you mean `first_name`?" in {problem.fix for problem in problems}


@pytest.mark.parametrize(
    ("body", "line", "what"),
    [
        ("a {{ name\n}} b", 7, "`{{` is opened and not closed on its line"),
        ("text\n\nmore {% if name %", 9, "`{%` is opened and not closed"),
        ("# Another title", 7, "second title of the first level"),
        ("{% for x in name %}{{ x }}{% endfor %}", 7, "`{% for %}` is not on offer"),
        ("{{ name.__class__ }}", 7, "no variable `name.__class__`"),
        ("{{ self }}", 7, "no variable `self`"),
        ("{{ range }}", 7, "no variable `range`"),
        ("{{{ name }}}", 7, "`{{` is opened and not closed on its line, or cannot be read"),
        ("{{ name.upper() }}", 7, "calls a function"),
        ("{{ fields['x'] }}", 7, "`fields.x` has no default"),
        ("{{ fields.x.y | default('') }}", 7, "no variable `fields.x.y`"),
        ("{{ name | default(fields.x) }}", 7, "`fields.x` has no default"),
        ("{{ 'x' * 99 }}", 7, "multiplies"),
        ("{{ name | }}", 7, "cannot be read"),
        ("{{ links.confirm }}", 7, "no variable `links.confirm`"),
        ("*{% if name %}a*{% endif %}", 7, "`{% endif %}` has no"),
        ("[x](https://a.example/{% if name %}b{% endif %})", 7, "address has an if in it"),
        ("[x](https://a.example/?q={{ name }})", 7, "stands inside a link's address as it is"),
        ("[x]({{ fields.site | default('') }})", 7, "which is not an address of ours"),
        ('[x]({{ "javascript:alert(1)//" ~ base_url }})', 7, "which is not an address of ours"),
        ('[x]({{ "data:text/html,x" if links.view else "" }})', 7, "which is not an address of ours"),
        ('[x]({{ links.view | replace("https", "javascript") }})', 7, "which is not an address of ours"),
        ("[x]({{ base_url }}.evil.example/a)", 7, "goes on without a slash"),
        ("[x]({{ base_url }}@evil.example/a)", 7, "goes on without a slash"),
        ("[x]({{ base_url }}{{ name | urlencode }})", 7, "goes on without a slash"),
        ("[x](<java&#10;script:alert(1)>)", 7, "does not work in a mail"),
        ("[x](data:text/html,hello)", 7, "does not work in a mail"),
        ("[x](#top)", 7, "does not work in a mail"),
        ("[x]()", 7, "A link has no address."),
        ("<script>alert(1)</script>", 7, "`<script>` is HTML that mails do not take"),
        ("text <iframe src='x'></iframe>", 7, "`<iframe>` is HTML that mails do not take"),
        ("text <b onclick='x()'>bold</b>", 7, "`<b>` has attributes (onclick)"),
        ("one\ntwo\nthree <img src='x'>", 9, "`<img>` is HTML that mails do not take"),
        ("a *<b>bold*</b>", 7, "overlap with emphasis"),
        ("a <b>bold\n\nand</b> on", 7, "`<b>` is opened and never closed"),
        ("a <b><i>x</b></i>", 7, "`<i>` is opened and never closed"),
        ("<?php echo 1 ?>", 7, "`<?php>` is HTML that mails do not take"),
        ("<!DOCTYPE html>", 7, "`<!DOCTYPE>` is HTML that mails do not take"),
        ("a <![CDATA[b]]>", 7, "`<![CDATA[b]]>` is HTML that mails do not take"),
        ("{% if name %}a{% else %}b{% elif name %}c{% endif %}", 7, "`{% elif name %}` comes after the else"),
        ("<!-- one\ntwo --> three", 8, "Text on a comment's last line"),
        ("<!-- a note\n\nAnd the rest of the mail", 7, "`<!--` is opened and never closed"),
        ("</p>", 7, "`</p>` closes nothing"),
        ("<mj-text>hello</mj-text>", 7, "`<mj-text>` stands in the text"),
        ("a\n\n:::", 9, "closes nothing"),
        ("- a\n\n  ::: action\n  b\n  :::", 9, "inside a list"),
        ("::: action\na\n::: callout\nb\n:::", 7, "`::: action` is not closed"),
        ("::: action Today\na\n:::", 7, "text behind its name"),
        ("::: callout\n:::", 7, "is empty"),
        ("::: checklist\nWords.\n:::", 7, "something other than one list"),
        ("::: question\nAn answer.\n:::", 7, "The question is missing"),
        ("::: button https://a.example\n:::", 7, "lacks its address or its label"),
        ("::: button javascript:x() Press\n:::", 7, "does not work in a mail"),
        ("![a moon](https://elsewhere.example/moon.png)", 7, "not one of the media folder"),
        ("![a moon](media/../../secret.png)", 7, "There is no picture"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_line(write: Write, body: str, line: int, what: str) -> None:
    faults = write(body).faults
    assert any(where == line and what in said for where, said in faults), faults


@pytest.mark.parametrize(
    ("mjml", "line", "what"),
    [
        ("<mj-spacer />\n<mj-text>Unclosed", 9, "`<mj-text>` is opened and never closed"),
        ("<mj-text><b>Unclosed</mj-text>\n<mj-spacer />", 8, "`<b>` is opened and never closed"),
        ("<mj-spacer />\n</mj-text>", 9, "`</mj-text>` closes nothing"),
        ("<mj-text align=left>a</mj-text>", 8, "not well formed"),
        ("<mj-text>1 < 2</mj-text>", 8, "not well formed"),
        ("<mj-text colour='red'>x</mj-text>", 8, "`<mj-text>` has no attribute `colour`"),
        ("<mj-txt>x</mj-txt>", 8, "`<mj-txt>` cannot stand in an MJML block"),
        ("<mj-text>a</mj-text>\n<mj-section></mj-section>", 9, "`<mj-section>` cannot stand"),
        ("<mj-text>a</mj-text>\nb", 9, "Text or a control tag stands between"),
        ("{% if name %}\n<mj-text>a</mj-text>\n{% endif %}", 8, "Text or a control tag stands between"),
        ("<mj-text>a\n<script>x</script></mj-text>", 9, "`<script>` cannot stand inside `<mj-text>`"),
        ("<mj-text><a href='javascript:x()'>a</a></mj-text>", 8, "does not work in a mail"),
        ("<mj-text><b onclick='x'>a</b></mj-text>", 8, "has the attribute `onclick`"),
        ("<mj-text>{% if name %}a</mj-text>", 8, "is not closed in the same paragraph"),
        ("<mj-text css-class='{% if name %}a{% endif %}'>a</mj-text>", 8, "has an if in it"),
        ("<mj-image src='media/gone.png' alt='A moon' />", 8, "There is no picture"),
        ("<mj-image src='media/gone.png' />", 8, "no alternative text"),
        ("<mj-button>Go</mj-button>", 8, "A button has no address"),
        ("<mj-text>a & b</mj-text>", 8, "not well formed"),
        ("<mj-text>a</mj-text>\n<?x y?>", 9, "`<?x` begins an instruction"),
        ("<mj-text>a <?php y?></mj-text>", 8, "`<?php` begins an instruction"),
        ("<mj-image alt='a' src='media/gone.png' srcset='https://e.example/a.png' />", 8, "`srcset`"),
        ("<mj-image alt='a' src='media/gone.png' sizes='100vw' />", 8, "no attribute `sizes`"),
        ("<mj-image alt='a' src='media/gone.png' usemap='#a' />", 8, "no attribute `usemap`"),
        ("<mj-text><img srcset='https://e.example/a.png' /></mj-text>", 8, "has the attribute `srcset`"),
        ("<mj-text>\n<b style='background:URL(//e.example)'>a</b></mj-text>", 9, "`style` of `<b>` holds"),
        ("<mj-text><b style='background:u\\72l(//e.example)'>a</b></mj-text>", 8, "`style` of `<b>` holds"),
        ('<mj-text><b style="background:image-set(\'//e.example\' 1x)">a</b></mj-text>', 8, "`style` of"),
        ("<mj-text container-background-color='url(//e.example)'>a</mj-text>", 8, "of `<mj-text>` holds"),
        ("<mj-text><b style='{{ \"background:u\" ~ \"rl(x)\" }}'>a</b></mj-text>", 8, "has a variable"),
    ],
)  # fmt: skip
def test_a_mistake_in_mjml_is_named_with_its_line(write: Write, mjml: str, line: int, what: str) -> None:
    faults = write(f"```mjml\n{mjml}\n```").faults
    assert any(where == line and what in said for where, said in faults), faults


@pytest.mark.parametrize(
    "body",
    [
        "A <b>bold</b> and H<sub>2</sub>O<br>and more",
        "`<div>` and `{{ '{{' }}` are code",
        "<!-- a note of the author's -->\n\nText",
        "{% if fields.dog | default(false) %}**dog**{% elif name == 'Ada' %}cat{% else %}none{% endif %}",
        "{% if fields.dog is defined %}dog{% endif %}",
        "{# a note #}Text",
        "[mail us](mailto:a@b.example) or [call](tel:+351000)",
        "[see]({{ links.manage }}) and [more]({{ base_url }}/x?y={{ email | urlencode }})",
        "<https://a.example/b?c=d&e=f>",
        "a form\x0cfeed and \ufffe",
        "```mjml\n<mj-text>a<br>b</mj-text>\n```",
        "[see]({{ links.view }}#top) and [more]({{ base_url }}?a=b)",
        "```mjml\n<mj-button href='{{ links.view }}' title='For {{ name }}'>a</mj-button>\n```",
        "```mjml\n<mj-text><b style='color:rgb(1,2,3)'>a</b></mj-text>\n```",
        "::: action\n- one\n- two\n\nand `:::` in a line\n:::",
        "```mjml\n<mj-text>a&nbsp;b &amp; c {{ name }}</mj-text>\n```",
    ],
)
def test_what_is_on_offer_is_taken(write: Write, body: str) -> None:
    assert write(body).problems == []


def test_html_inside_html_is_named_once(write: Write) -> None:
    body = "<table>\n<tr><td>A cell<br></td></tr>\n</table>"
    assert write(body).faults == [(7, "`<table>` is HTML that mails do not take.")]


def test_a_subject_is_checked_on_its_own_line(write: Write) -> None:
    written = write("Text", subject="Hello {{ nmae }}", preheader="{% if name %}x")
    assert written.faults == [
        (3, "There is no variable `nmae`."),
        (4, "`{% if name %}` is not closed in the same paragraph, at the same level of emphasis."),
    ]


def test_a_mail_without_a_title_is_told_so(write: Write) -> None:
    assert write("Text", title="").faults == [(7, "The mail has no title.")]


def test_a_very_long_mail_is_warned_about_but_compiled(write: Write) -> None:
    written = write("word " * 13_000)  # 65 kB
    assert written.message is not None
    assert [(problem.is_warning, "more than 60 kB" in problem.what) for problem in written.problems] == [
        (True, True)
    ]
