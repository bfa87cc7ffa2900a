"""The local mailbox as a process: the SMTP conversation, its pages, and what a browser makes of them."""

from __future__ import annotations

import smtplib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from email import policy
from email.message import EmailMessage
from pathlib import Path

import httpx
import psutil
import pytest
from playwright.sync_api import Page, expect

from mailer.embedded.mailbox.store import MailStore
from mailer.embedded.ports import LOOPBACK, PortClaims
from mailer.embedded.process import wait_until
from mailer.embedded.supervisor import Child, Supervisor
from tests.support.browser import CHROMIUM, chromium
from tests.support.servers import short_folder

DARK_INK, LIGHT_INK = "rgb(143, 199, 181)", "rgb(47, 107, 94)"
LESSON = """<!doctype html><html lang="en"><head><meta name="color-scheme" content="light dark"><style>
a { color: #2f6b5e } @media (prefers-color-scheme: dark) { a { color: #8fc7b5 } }</style></head>
<body><h1>Lesson one</h1><a href="http://127.0.0.1:9/next">Next time</a>
<script>document.title = "run"; document.querySelector("h1").remove()</script></body></html>"""


@dataclass(frozen=True)
class Mailbox:
    """A running mailbox."""

    url: str
    smtp_port: int
    folder: Path
    pid: int

    def smtp(self) -> smtplib.SMTP:
        return smtplib.SMTP(LOOPBACK, self.smtp_port, timeout=10)

    def receive(self, subject: str = "Lesson one", to: str = "ada@reader.example", html: str = LESSON) -> int:
        """Send a mail to it; returns the number that it got there."""
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = "Steady Neck <hello@course.example>", to, subject
        mail["Date"], mail["Message-ID"] = "Mon, 02 Mar 2026 08:00:00 +0545", "<1@course.example>"
        mail["List-Unsubscribe"] = "<https://course.example/u/abc>"
        mail.set_content("Hello Ada,\n\nthis is the text.\n")
        mail.add_alternative(html, subtype="html")
        mail.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="Plan <b>.pdf")
        return self.receive_raw(mail.as_bytes(policy=policy.SMTP), to)

    def receive_raw(self, raw: bytes, to: str = "ada@reader.example") -> int:
        with self.smtp() as connection:
            connection.sendmail("hello@course.example", [to], raw)
        return MailStore(self.folder).messages()[-1].number

    def page(self, path: str) -> httpx.Response:
        return httpx.get(self.url + path)


@pytest.fixture(scope="module")
def mailbox() -> Iterator[Mailbox]:

    with short_folder() as folder:
        ports = PortClaims()
        smtp_port, web_port = ports.take(21_000), ports.take(21_000)
        command = [sys.executable, "-m", "mailer.embedded.mailbox", "--dir", str(folder / "mails")]
        command += ["--smtp-port", str(smtp_port), "--web-port", str(web_port)]
        supervisor = Supervisor(folder)
        supervisor.start(Child("mailbox", command))
        url = f"http://{LOOPBACK}:{web_port}"
        assert wait_until(lambda: answers(url), 15), supervisor.log_of("mailbox").read_text()
        yield Mailbox(url, smtp_port, folder / "mails", supervisor.pid_of("mailbox"))
        supervisor.stop_all()
        ports.release()
        assert supervisor.log_of("mailbox").read_text() == ""


def answers(url: str) -> bool:
    try:
        return httpx.get(url + "/health").status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def browser_page() -> Iterator[Page]:
    if not CHROMIUM.exists():
        pytest.skip("there is no chromium here")
    with chromium() as browser:
        yield browser.new_page(viewport={"width": 1280, "height": 800}, color_scheme="light")


def test_an_empty_mailbox_says_how_mail_gets_there(mailbox: Mailbox) -> None:
    MailStore(mailbox.folder).clear()
    assert "steadypost demo" in mailbox.page("/").text


def test_it_listens_on_this_machine_only(mailbox: Mailbox) -> None:
    connections = psutil.Process(mailbox.pid).net_connections("inet")
    assert {connection.laddr[0] for connection in connections} == {LOOPBACK}


def test_cleos_address_is_refused_as_unknown_and_the_others_get_the_mail(mailbox: Mailbox) -> None:
    with mailbox.smtp() as connection:
        refused = connection.sendmail(
            "hello@course.example",
            ["ada@reader.example", "cleo+bounce@reader.example"],
            b"Subject: For both\r\n\r\nHello",
        )
    address = "cleo+bounce@reader.example"
    words = b"5.1.1 <cleo+bounce@reader.example>: Recipient address rejected: User unknown"
    assert refused == {address: (550, words)}
    newest = MailStore(mailbox.folder).messages()[-1]
    assert (newest.subject, newest.recipients) == ("For both", ("ada@reader.example",))


def test_addresses_beyond_ascii_and_bounces_without_a_sender_are_taken(mailbox: Mailbox) -> None:
    with mailbox.smtp() as connection:
        connection.ehlo()
        assert connection.has_extn("smtputf8")
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = "hello@course.example", "inês@reader.example", "Olá, Inês"
        mail.set_content("Olá")
        connection.send_message(mail)
        connection.sendmail("", ["ada@reader.example"], b"Subject: bounce\r\n\r\n")
    utf8, bounce = MailStore(mailbox.folder).messages()[-2:]
    assert (utf8.subject, utf8.recipients) == ("Olá, Inês", ("inês@reader.example",))
    assert bounce.sender == ""


def test_several_hundred_mails_a_second_are_taken(mailbox: Mailbox) -> None:
    taker = psutil.Process(mailbox.pid)
    before = sum(taker.cpu_times()[:2])
    with mailbox.smtp() as connection:
        for number in range(300):
            connection.sendmail(
                "a@course.example", ["ben@reader.example"], f"Subject: {number}\r\n\r\n".encode()
            )
    assert sum(taker.cpu_times()[:2]) - before < 3
    newest = MailStore(mailbox.folder).messages()[-300:]
    assert [mail.subject for mail in newest] == [str(number) for number in range(300)]


def test_the_list_is_narrowed_down_and_paged(mailbox: Mailbox) -> None:
    MailStore(mailbox.folder).clear()
    with mailbox.smtp() as connection:
        for number in range(51):
            raw = f"Subject: Lesson {number:02d}\r\n\r\n".encode()
            connection.sendmail("hello@course.example", [f"ada{number % 2}@reader.example"], raw)
    first, second = mailbox.page("/").text, mailbox.page("/?page=2").text
    assert "51 mails" in first
    assert "Lesson 50" in first
    assert "Lesson 00" not in first
    assert "Lesson 00" in second
    assert "Page 2 of 2" in mailbox.page("/?page=99").text
    narrowed = mailbox.page("/?to=ADA1&subject=lesson+0").text
    assert "5 of 51 mails" in narrowed
    assert "Lesson 00" not in narrowed


def test_programs_read_the_mails_as_json(mailbox: Mailbox) -> None:
    first = mailbox.receive(to="json@reader.example")
    second = mailbox.receive(to="json@reader.example")
    asked = mailbox.page(f"/api/messages?to=JSON@reader.example&after={first}").json()
    assert [mail["number"] for mail in asked["messages"]] == [second]
    mail = mailbox.page(f"/api/messages/{second}").json()
    assert mail["date"] == "2026-03-02T08:00:00+05:45"
    assert mail["text"].startswith("Hello Ada,")
    assert mail["html"].startswith("<!doctype html>")
    assert [part["name"] for part in mail["attachments"]] == ["Plan <b>.pdf"]
    assert ["List-Unsubscribe", "<https://course.example/u/abc>"] in mail["headers"]
    assert mailbox.page("/api/messages/999999").json() == {"error": "not found"}


def test_a_page_shows_the_hour_on_the_readers_clock_and_the_headers_that_matter(mailbox: Mailbox) -> None:
    number = mailbox.receive()
    page = mailbox.page(f"/messages/{number}").text
    assert "Mon 2 Mar 2026, 08:00 +05:45" in page
    for words in ("List-Unsubscribe", "&lt;1@course.example&gt;", "Steady Neck", "Plan &lt;b&gt;.pdf"):
        assert words in page


def test_what_a_mail_says_is_never_markup_of_the_page(mailbox: Mailbox) -> None:
    number = mailbox.receive("<script>alert(1)</script>", html="</iframe><script>alert(2)</script>")
    for view in ("html", "phone", "dark", "text", "source"):
        assert "<script>" not in mailbox.page(f"/messages/{number}?view={view}").text
    assert "<script>" not in mailbox.page("/?to=<script>&subject=<script>").text


def test_pages_and_frames_let_no_script_run(mailbox: Mailbox) -> None:
    number = mailbox.receive()
    assert "default-src 'none'" in mailbox.page("/").headers["content-security-policy"]
    frame = mailbox.page(f"/messages/{number}/frame").headers["content-security-policy"]
    assert "default-src 'none'" in frame
    assert "sandbox allow-popups allow-popups-to-escape-sandbox" in frame
    assert "script" not in frame


@pytest.mark.parametrize(
    "raw",
    [
        b"no headers at all",
        b"Subject: =?utf-8?b?####?=\r\nFrom: <<\r\nDate: \xff\r\n\r\n\xff\x00",
        b"Content-Type: text/html; charset=klingon\r\n\r\n<p>\xff</p>",
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: multipart/mixed\r\n\r\n--x",
    ],
)
def test_malformed_mails_have_pages_too(mailbox: Mailbox, raw: bytes) -> None:
    number = mailbox.receive_raw(raw)
    for view in ("html", "phone", "dark", "text", "source"):
        assert mailbox.page(f"/messages/{number}?view={view}").status_code == 200
    for path in ("/", f"/messages/{number}/frame", f"/messages/{number}/download", f"/api/messages/{number}"):
        assert mailbox.page(path).status_code == 200


def test_an_attachment_is_saved_and_never_shown_as_what_it_claims_to_be(mailbox: Mailbox) -> None:
    number = mailbox.receive()
    (position,) = {part for part in range(9) if mailbox.page(f"/messages/{number}/parts/{part}").is_success}
    answer = mailbox.page(f"/messages/{number}/parts/{position}")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.content == b"%PDF"


def test_a_mail_that_is_gone_has_a_page_that_leads_on(mailbox: Mailbox) -> None:
    answer = mailbox.page("/messages/999999")
    assert answer.status_code == 404
    assert "This mail is not here" in answer.text


def test_a_foreign_name_for_this_machine_is_refused(mailbox: Mailbox) -> None:
    assert httpx.get(mailbox.url, headers={"Host": "evil.example"}).status_code == 400


def test_a_busy_port_is_refused_in_one_sentence(mailbox: Mailbox, data_dir: Path) -> None:

    command = [sys.executable, "-m", "mailer.embedded.mailbox", "--dir", str(data_dir)]
    command += ["--smtp-port", str(mailbox.smtp_port), "--web-port", str(PortClaims().take(22_000))]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    assert answer.returncode == 1
    assert answer.stderr == (
        f"the mailbox cannot listen on {LOOPBACK}:{mailbox.smtp_port} (Address already in use)\n"
    )


def test_in_a_browser_every_tab_shows_the_mail_in_its_way(mailbox: Mailbox, browser_page: Page) -> None:
    mailbox.receive()
    page = browser_page
    page.goto(mailbox.url)
    page.get_by_role("link", name="Lesson one").first.click()
    mail = page.frame_locator("iframe")
    link = mail.get_by_role("link", name="Next time")

    expect(mail.get_by_role("heading", name="Lesson one")).to_be_visible()  # no script has removed it
    expect(link).to_have_css("color", LIGHT_INK)
    page.get_by_role("link", name="Phone").click()
    expect(page.locator("iframe")).to_have_css("width", "375px")
    page.get_by_role("link", name="Dark", exact=True).click()
    expect(page.get_by_text("Shown with the mail’s own dark styles")).to_be_visible()
    expect(link).to_have_css("color", DARK_INK)
    page.get_by_role("link", name="Text", exact=True).click()
    expect(page.get_by_text("this is the text.")).to_be_visible()
    page.get_by_role("link", name="Source").click()
    expect(page.get_by_text("Content-Type: multipart/mixed")).to_be_visible()
    expect(page.get_by_role("link", name="Older")).to_be_visible()


def test_in_a_browser_a_link_of_a_mail_opens_a_new_tab(mailbox: Mailbox, browser_page: Page) -> None:
    number = mailbox.receive()
    browser_page.goto(f"{mailbox.url}/messages/{number}")
    with browser_page.expect_popup() as opened:
        browser_page.frame_locator("iframe").get_by_role("link", name="Next time").click()
    opened.value.close()
    assert browser_page.url.endswith(f"/messages/{number}")


def test_in_a_browser_no_page_is_wider_than_a_phone(mailbox: Mailbox, browser_page: Page) -> None:
    number = mailbox.receive("A subject without an end " + "and-without-any-space" * 8)
    browser_page.set_viewport_size({"width": 375, "height": 700})
    try:
        for path in (
            "/",
            *(f"/messages/{number}?view={view}" for view in ("html", "phone", "text", "source")),
        ):
            browser_page.goto(mailbox.url + path)
            assert browser_page.evaluate("document.documentElement.scrollWidth") == 375
    finally:
        browser_page.set_viewport_size({"width": 1280, "height": 800})
