"""TLS with certificates that are looked at, and logging in, at a real server."""

from __future__ import annotations

import json
import ssl
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mailer.delivery.transports.base import Answered, Email, Feed, NotSent, Result, Trouble, TroubleKind
from mailer.delivery.transports.connect import Timeouts
from mailer.delivery.transports.server import SmtpServer
from mailer.delivery.transports.smtp_pool import SmtpPool, send_one
from mailer.fetch import Fetcher
from tests.support.scripted_smtp import ScriptedSmtp, scripted_smtp

ADA = Email("a@steadypost.example", "ada@reader.example", b"Subject: Hello\r\n\r\nHello.\r\n")
TOKEN = "ya29.token"
TAKEN = "taken"


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _certificate(subject: str, key: ec.EllipticCurvePrivateKey, issuer: str) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
    )


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ca.pem, and a certificate for 127.0.0.1 and one for another name that it signed."""
    folder = tmp_path_factory.mktemp("authority")
    ca_key = ec.generate_private_key(ec.SECP256R1())
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    ca = (
        _certificate("test authority", ca_key, "test authority")
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .sign(ca_key, hashes.SHA256())
    )
    (folder / "ca.pem").write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    names: dict[str, x509.GeneralName] = {
        "right": x509.IPAddress(ip_address("127.0.0.1")),
        "wrong": x509.DNSName("somebody.else.example"),
    }
    for file, name in names.items():
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            _certificate(file, key, "test authority")
            .add_extension(x509.SubjectAlternativeName([name]), critical=False)
            .sign(ca_key, hashes.SHA256())
        )
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (folder / f"{file}.pem").write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return folder


def tls(authority: Path, which: str = "right") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / f"{which}.pem")
    return context


@pytest.fixture
def server(authority: Path) -> Iterator[ScriptedSmtp]:
    """A server that offers STARTTLS with a good certificate."""
    with scripted_smtp(tls=tls(authority)) as running:
        yield running
        assert running.violations == []


def send(server: ScriptedSmtp, authority: Path | None, user: str = "", query: str = "") -> str:
    """Send Ada's mail: `taken`, or the kind of trouble."""
    with pool(server, authority, user, query) as one:
        result = send_one(one, ADA)
    return words(result)


def words(result: Result | Trouble) -> str:
    if isinstance(result, Trouble):
        assert "s3cret" not in result.reason
        assert TOKEN not in result.reason
        return str(result.kind)
    assert isinstance(result, Answered)
    return TAKEN if result.reply.is_taken else str(result.reply.code)


HERE = Fetcher(("127.0.0.1/32",))
"""What asks for tokens, also on this machine."""


@contextmanager
def pool(server: ScriptedSmtp, authority: Path | None, user: str = "", query: str = "") -> Iterator[SmtpPool]:
    scheme = "smtps" if server.is_tls_at_once else "smtp"
    ca = f"ca={authority / 'ca.pem'}&" if authority else ""
    url = f"{scheme}://{user}127.0.0.1:{server.port}?{ca}{query}"
    timeouts = Timeouts(greeting=1, command=3)
    made = SmtpPool(SmtpServer.from_url(url), helo_name="steadypost.test", timeouts=timeouts, fetcher=HERE)
    yield made
    made.close()


class Many:
    """A feed of many mails that counts what was taken."""

    def __init__(self, count: int, text: bytes) -> None:
        self.left = count
        self.text = text
        self.taken = 0

    def next(self) -> tuple[int, Email] | None:
        self.left -= 1
        number = self.left
        return None if number < 0 else (number, Email(ADA.sender, f"r{number}@reader.example", self.text))

    def before_dot(self, key: int) -> bool:
        return True

    def done(self, key: int, result: Result) -> None:
        assert isinstance(result, Answered)
        self.taken += result.reply.is_taken

    def tend(self) -> None:
        pass


class Refused(Many):
    """A feed none of whose mails is sent."""

    def __init__(self, count: int) -> None:
        super().__init__(count, ADA.content)

    def done(self, key: int, result: Result) -> None:
        assert isinstance(result, NotSent)


def all_sent(one: SmtpPool, feed: Feed) -> bool:
    return one.send_all(feed) is None


@pytest.mark.parametrize("query", ["", "starttls=required"])
def test_starttls_is_used_when_it_is_offered(server: ScriptedSmtp, authority: Path, query: str) -> None:
    server.users = {"ada": "s3cret"}
    assert send(server, authority, "ada:s3cret@", query) == TAKEN
    assert server.logins == [("PLAIN", "ada", True)]


def test_starttls_can_be_left_out(server: ScriptedSmtp, authority: Path) -> None:
    assert send(server, authority, query="starttls=never") == TAKEN
    assert "STARTTLS" not in server.commands


def test_tls_from_the_first_byte(server: ScriptedSmtp, authority: Path) -> None:
    server.is_tls_at_once = True
    assert send(server, authority) == TAKEN


def test_a_server_that_waits_for_tls_is_found_out_soon(server: ScriptedSmtp, authority: Path) -> None:
    server.is_tls_at_once = True
    plain = SmtpPool(SmtpServer.from_url(f"smtp://127.0.0.1:{server.port}"), timeouts=Timeouts(greeting=1))
    assert words(send_one(plain, ADA)) == TroubleKind.UNREACHABLE
    plain.close()


def test_long_and_many_mails_go_through_tls_whole(server: ScriptedSmtp, authority: Path) -> None:
    text = b"Subject: long\r\n\r\n" + b".x" * 30 + b"\r\n" + (b"y" * 70 + b"\r\n") * 3000
    feed = Many(24, text)
    with pool(server, authority) as one:
        assert all_sent(one, feed)
    assert feed.taken == 24
    assert sorted(server.recipients) == sorted(f"r{number}@reader.example" for number in range(24))
    assert set(server.contents) == {text}


@pytest.mark.parametrize("is_tls_at_once", [False, True])
def test_a_certificate_of_an_unknown_authority_is_refused(server: ScriptedSmtp, is_tls_at_once: bool) -> None:
    server.is_tls_at_once = is_tls_at_once
    server.users = {"ada": "s3cret"}
    assert send(server, None, "ada:s3cret@") == TroubleKind.TLS
    assert server.logins == []


def test_a_certificate_of_another_name_is_refused(authority: Path) -> None:
    with scripted_smtp(tls=tls(authority, "wrong")) as server:
        assert send(server, authority) == TroubleKind.TLS
        assert server.recipients == []


def test_required_starttls_that_somebody_left_out_stops_everything(authority: Path) -> None:
    with scripted_smtp() as server:
        assert send(server, authority, query="starttls=required") == TroubleKind.TLS
        assert server.recipients == []


def test_starttls_that_is_refused_stops_everything(server: ScriptedSmtp, authority: Path) -> None:
    server.replies["STARTTLS"] = ["454 4.7.0 TLS not available"]
    assert send(server, authority) == TroubleKind.TLS


def test_a_file_of_authorities_that_is_not_there_is_named(server: ScriptedSmtp) -> None:
    assert send(server, Path("/nowhere")) == TroubleKind.TLS


def test_a_password_is_never_sent_in_the_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailer.delivery.transports.server.LOCAL_HOSTS", frozenset())
    with scripted_smtp() as server:
        server.users = {"ada": "s3cret"}
        assert send(server, None, "ada:s3cret@") == TroubleKind.LOGIN
        assert server.logins == []
        assert send(server, None, "ada:s3cret@", "starttls=never") == TAKEN  # somebody said so


@pytest.mark.parametrize(
    ("offered", "used"),
    [(["LOGIN", "PLAIN"], "PLAIN"), (["LOGIN"], "LOGIN"), (["CRAM-MD5", "LOGIN"], "LOGIN")],
)
def test_logging_in_with_a_password(
    server: ScriptedSmtp, authority: Path, offered: list[str], used: str
) -> None:
    server.users = {"ada@reader.example": "s3cret ü%"}
    server.mechanisms = offered
    assert send(server, authority, "ada%40reader.example:s3cret%20%C3%BC%25@") == TAKEN
    assert server.logins == [(used, "ada@reader.example", True)]


def test_a_wrong_password_is_tried_once(server: ScriptedSmtp, authority: Path) -> None:
    server.users = {"ada": "another"}
    with pool(server, authority, "ada:s3cret@") as one:
        trouble = one.send_all(Refused(20))
    assert trouble is not None
    assert (trouble.kind, len(server.logins)) == (TroubleKind.LOGIN, 1)
    assert "535" in trouble.reason


def test_a_server_without_any_login_we_know(server: ScriptedSmtp, authority: Path) -> None:
    server.users = {"ada": "s3cret"}
    server.mechanisms = ["GSSAPI"]
    assert send(server, authority, "ada:s3cret@") == TroubleKind.LOGIN


def test_a_missing_login_is_a_refusal_of_us(server: ScriptedSmtp, authority: Path) -> None:
    server.users = {"ada": "s3cret"}
    assert send(server, authority) == TroubleKind.UNWELCOME


def test_logging_in_with_a_ready_token(server: ScriptedSmtp, authority: Path) -> None:
    server.users = {"ada": TOKEN}
    assert send(server, authority, f"ada:{TOKEN}@", "auth=xoauth2") == TAKEN
    assert server.logins == [("XOAUTH2", "ada", True)]


def test_a_token_that_is_refused_and_cannot_be_renewed(server: ScriptedSmtp, authority: Path) -> None:
    server.users = {"ada": "another"}
    assert send(server, authority, f"ada:{TOKEN}@", "auth=xoauth2") == TroubleKind.LOGIN
    assert len(server.logins) == 1


class TokenServer(ThreadingHTTPServer):
    """Sells access tokens for refresh tokens."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _TokenRequest)
        self.asked: list[dict[str, str]] = []
        self.answers: list[tuple[int, dict[str, object]]] = []


class _TokenRequest(BaseHTTPRequestHandler):
    server: TokenServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.asked.append({name: values[0] for name, values in parse_qs(body).items()})
        usual: dict[str, object] = {"access_token": TOKEN, "expires_in": 3600}
        status, answer = self.server.answers.pop(0) if self.server.answers else (200, usual)
        payload = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def tokens() -> Iterator[TokenServer]:
    server = TokenServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    with ExitStack() as stack:
        stack.callback(thread.join)
        stack.callback(server.server_close)
        stack.callback(server.shutdown)
        yield server


def wish(tokens: TokenServer) -> str:
    host, port = tokens.server_address[:2]
    return f"auth=xoauth2&token_url=http://{host!s}:{port}/token&client_id=me&client_secret=s3cret-client"


def test_a_refresh_token_buys_one_access_token_for_many_connections(
    server: ScriptedSmtp, authority: Path, tokens: TokenServer
) -> None:
    server.users = {"ada": TOKEN}
    server.delays["DOT"] = 0.05
    feed = Many(12, ADA.content)
    with pool(server, authority, "ada:refresh@", wish(tokens)) as one:
        assert all_sent(one, feed)
    assert feed.taken == 12
    assert len(server.logins) > 1
    assert tokens.asked == [
        {
            "grant_type": "refresh_token",
            "refresh_token": "refresh",
            "client_id": "me",
            "client_secret": "s3cret-client",
        }
    ]


def test_an_access_token_that_is_refused_is_renewed_once(
    server: ScriptedSmtp, authority: Path, tokens: TokenServer
) -> None:
    server.users = {"ada": TOKEN}
    tokens.answers = [(200, {"access_token": "taken back", "expires_in": 3600, "refresh_token": "second"})]
    assert send(server, authority, "ada:refresh@", wish(tokens)) == TAKEN
    assert [asked["refresh_token"] for asked in tokens.asked] == ["refresh", "second"]
    server.users = {"ada": "nobody has it"}
    assert send(server, authority, "ada:refresh@", wish(tokens)) == TroubleKind.LOGIN
    assert len(server.logins) == 4


@pytest.mark.parametrize(
    ("status", "answer"), [(400, {"error": "invalid_grant"}), (200, {"token": "what"}), (500, {})]
)
def test_a_refresh_token_that_buys_nothing(
    server: ScriptedSmtp, authority: Path, tokens: TokenServer, status: int, answer: dict[str, object]
) -> None:
    server.users = {"ada": TOKEN}
    tokens.answers = [(status, answer)]
    assert send(server, authority, "ada:refresh@", wish(tokens)) == TroubleKind.LOGIN
    assert server.logins == []


def test_a_token_is_not_asked_for_where_requests_may_not_go(
    server: ScriptedSmtp, authority: Path, tokens: TokenServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.users = {"ada": TOKEN}
    monkeypatch.setattr(sys.modules[__name__], "HERE", Fetcher())
    assert send(server, authority, "ada:refresh@", wish(tokens)) == TroubleKind.LOGIN
    assert (tokens.asked, server.logins) == ([], [])
