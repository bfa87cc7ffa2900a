"""What a sheet's columns mean, by the names that people and programs give them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

BUILT_IN = ("email", "name", "first_name", "last_name", "language", "zone", "tags")

# English first, then German, the Romance languages, Dutch, the Slavic ones, the Nordic ones, Turkish,
# Chinese and Japanese. Case, accents and signs do not matter.
NAMES = {
    "email": (
        "email e_mail mail email_address e_mail_address mail_address emailaddress "
        "e_mail_adresse emailadresse mailadresse mail_adresse "
        "courriel adresse_e_mail adresse_email adresse_mail adresse_electronique adresse_courriel "
        "correo correo_electronico direccion_de_correo email_del_suscriptor "
        "posta_elettronica indirizzo_email indirizzo_e_mail "
        "endereco_de_email endereco_de_e_mail correio_eletronico "
        "e_mailadres emailadres "
        "adres_e_mail adres_email "
        "e_post e_postadress epost epostadresse e_postadresse e_mailadresse "
        "sahkoposti sahkopostiosoite eposta e_posta "
        "почта электронная_почта 邮箱 电子邮件 电子邮箱 メールアドレス"
    ),
    "name": (
        "name full_name fullname your_name "
        "vollname vollstandiger_name "
        "nom_complet "
        "nombre nombre_completo "
        "nome nome_completo "
        "naam volledige_naam "
        "imie_i_nazwisko "
        "namn navn "
        "nimi 姓名 氏名 名前"
    ),
    "first_name": (
        "first_name firstname given_name givenname fname "
        "vorname "
        "prenom "
        "primer_nombre "
        "primeiro_nome "
        "voornaam "
        "imie jmeno имя "
        "fornamn fornavn "
        "etunimi"
    ),
    "last_name": (
        "last_name lastname surname family_name lname "
        "nachname familienname "
        "nom nom_de_famille "
        "apellido apellidos "
        "cognome "
        "sobrenome apelido "
        "achternaam "
        "nazwisko prijmeni фамилия "
        "efternamn efternavn etternavn "
        "sukunimi"
    ),
    "language": (
        "language lang locale sprache langue idioma lingua taal jezyk jazyk язык sprak sprog kieli dil"
    ),
    "zone": (
        "zone timezone time_zone tz zeitzone fuseau_horaire zona_horaria fuso_orario fuso_horario "
        "tijdzone strefa_czasowa tidszon tidszone tidssone aikavyohyke"
    ),
    "tags": "tags tag labels schlagworte schlagworter etiquettes etiquetas etichette tagi taggar tagit",
}
"""What a column may be called (see `plain`), by what it means to us."""

_ADDRESS = re.compile(r"[^\s@,;|<>\"]+@[^\s@,;|<>\"]+\.[^\s@,;|<>\"]+")


def plain(header: str) -> str:
    """A header in small letters without accents, with _ for all that is no letter or digit.

    "E-Mail-Adresse:" is e_mail_adresse, "Prénom" is prenom. A name in another script stays as it is.
    """
    bare = "".join(
        sign for sign in unicodedata.normalize("NFKD", header.casefold()) if not unicodedata.combining(sign)
    )
    return "_".join(re.findall(r"[^\W_]+", bare))


_MEANINGS = {plain(word): meaning for meaning, words in NAMES.items() for word in words.split()}


def meaning_of(header: str) -> str | None:
    """Which of BUILT_IN a column of this name is, or None."""
    return _MEANINGS.get(plain(header))


def named(headers: Sequence[str]) -> tuple[str, ...]:
    """The columns by our names where we know theirs, else by their plain ones."""
    return tuple(_MEANINGS.get(plain(header), plain(header)) for header in headers)


def looks_like_address(cell: str) -> bool:
    """Whether a cell is an address at first sight: enough to tell a column, not to mail to."""
    return _ADDRESS.fullmatch(cell) is not None


def address_places(cells: Sequence[str]) -> list[int]:
    """The positions of the cells that look like addresses."""
    return [place for place, cell in enumerate(cells) if looks_like_address(cell)]
