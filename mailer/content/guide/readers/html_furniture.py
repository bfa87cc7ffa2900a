"""Which elements of a web page are not its article: menus, footers, cookie notices, share buttons."""

from __future__ import annotations

import re

from lxml import html

TAGS = {
    "nav": "a menu",
    "footer": "the page's footer",
    "form": "a form",
    "select": "a form",
    "textarea": "a form",
    "button": "a button",
    "dialog": "a pop-up",
    "iframe": "something embedded from another page",
    "noscript": "what only shows without JavaScript",
}
ROLES = {
    "navigation": "a menu",
    "menu": "a menu",
    "menubar": "a menu",
    "search": "a search box",
    "contentinfo": "the page's footer",
    "dialog": "a pop-up",
    "alertdialog": "a pop-up",
}
CLASS_WORDS = {
    "a cookie notice": "cookie cookies consent gdpr cookiebanner",
    "share buttons": "share sharing social addtoany sharedaddy addthis",
    "a teaser": "related recommended recommendations teaser teasers",
    "a newsletter sign-up": "newsletter subscribe subscription signup optin mailchimp",
    "a menu": "menu navbar nav navigation breadcrumb breadcrumbs pagination skip",
    "readers' comments": "comments respond disqus",
    "a sidebar": "sidebar",
    "an advertisement": "ad ads advert advertisement adsense sponsored promo",
    "a pop-up": "popup modal overlay lightbox",
}
BY_CLASS = {word: why for why, words in CLASS_WORDS.items() for word in words.split()}
# What a theme says of the whole page's shape is not about this element: "has-sidebar", "no-menu".
SHAPES = re.compile(r"\b(?:has|no|with|without|is)-[a-z0-9-]+")


def main_part(body: html.HtmlElement) -> html.HtmlElement | None:
    """The page's article, when one element is marked as such and holds at least half of all words."""
    words = len(body.text_content().split())
    marked = [*body.iter("main"), *body.xpath(".//*[@role='main']"), *body.iter("article")]
    large = [element for element in marked if len(element.text_content().split()) * 2 >= words]
    return large[-1] if large else None


def why_left_out(element: html.HtmlElement, main: html.HtmlElement | None, words_in_all: int) -> str | None:
    """Why an element is no part of the guide, in a few words; None when it is one, or holds some."""
    if main is not None and (element is main or main in element.iterdescendants()):
        return None
    if element.get("hidden") is not None or element.get("aria-hidden") == "true":
        return "hidden on the page"
    if re.search(r"display\s*:\s*none", element.get("style", "")):
        return "hidden on the page"
    tag, role = str(element.tag), (element.get("role") or "").lower()
    why = (
        TAGS.get(tag)
        or ROLES.get(role)
        or _by_place(element, tag, role, main)
        or _by_class(element, words_in_all)
    )
    if main is not None and main not in element.iterancestors():
        return why or "outside the page's article"
    return why


def _by_place(element: html.HtmlElement, tag: str, role: str, main: html.HtmlElement | None) -> str | None:
    """An aside in the article is a remark, beside it a sidebar; a header without a title is the page's."""
    is_in_article = any(up.tag in {"article", "main"} or up is main for up in element.iterancestors())
    if (tag == "aside" or role == "complementary") and not is_in_article:
        return "a sidebar"
    if (tag == "header" or role == "banner") and not is_in_article and element.find(".//h1") is None:
        return "the page's header"
    return None


def _by_class(element: html.HtmlElement, words_in_all: int) -> str | None:
    named = SHAPES.sub(" ", f"{element.get('class', '')} {element.get('id', '')}".lower())
    why = next((BY_CLASS[word] for word in re.split(r"[^a-z0-9]+", named) if word in BY_CLASS), None)
    if not why or element.tag in {"html", "body", "main", "article", "h1"}:
        return None
    holds_the_guide = (
        element.find(".//h1") is not None or len(element.text_content().split()) * 2 > words_in_all
    )
    return None if holds_the_guide and words_in_all else why
