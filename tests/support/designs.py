"""MJML as authors write it, for the visual editor."""

# ruff: noqa: E501 - a text may not be broken where its author did not break it

from __future__ import annotations

EVERYTHING = """<mjml>
  <mj-body background-color="#ffffff">
    <mj-wrapper padding="10px">
      <mj-section padding="0" padding-top="10px">
        <mj-group>
          <mj-column width="50%">
            <mj-text padding="0 10px" padding-left="25px" css-class="a b">{% if fields["town"] | default("") == "Ulm" and 2 < 3 %}<p>A &amp; B&nbsp;</p>{% else %}<p></p>{% endif %}{# why #}</mj-text>
          </mj-column>
          <mj-column>
            <mj-button href="https://example.org/?a=1&amp;b={{ first_name | default("x") | urlencode }}">Go {{ first_name }}</mj-button>
          </mj-column>
        </mj-group>
      </mj-section>
    </mj-wrapper>
    <mj-section>
      <mj-column>
        <mj-table><tr><td>{{ greeting }}</td></tr></mj-table>
        <mj-image src="media/none.png" alt="A lamp" />
        <mj-divider border-color="#cccccc" />
        <mj-spacer height="20px" />
        <mj-text><a href="{{ links.unsubscribe }}">Leave</a><br/>{{ sender.postal_address }}</mj-text>
      </mj-column>
    </mj-section>
  </mj-body>
</mjml>
"""
"""Each element that an author may write, and tags with everything in them that HTML reads otherwise."""
