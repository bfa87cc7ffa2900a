"""What stands on a page and is not the guide: crosses, menus, cookie notices, teasers."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mailer.content.guide.disclaimer import is_disclaimer
from mailer.content.guide.model import (
    Block,
    Bullets,
    Heading,
    LineNote,
    Paragraph,
    Piece,
    count_words,
    plain,
    plain_of,
)

ARROWS = " \t→⟶➔➜➝⇒»›>…."
FURNITURE_LENGTH = 160
"""Characters; a longer line is a sentence of the guide, whatever words it begins with."""

_NETWORK = (
    r"(share|facebook|twitter|x|linkedin|pinterest|whatsapp|reddit|email|instagram|telegram|youtube|tiktok)"
)
_PAGE = (
    r"(home|about( us)?|contact( us)?|blog|shop|impressum|datenschutz|imprint|privacy policy"
    r"|terms( of (use|service))?)"
)
# Whole lines, in small letters, with arrows and dots at their end taken off.
LINES = {
    "a closing cross": r"[×✕✖✗✘⨯╳xX☰≡]|close|schließen|fermer|cerrar|chiudi|sluiten",
    "a link to read more": (
        r"(read|learn|see|show|view|discover|find out|load) (more|all|less)|(continue|keep) reading"
        r"|read (the )?(full|whole) (article|story|post)|click here"
        r"|weiterlesen|mehr (lesen|erfahren|anzeigen)|lire (la suite|plus)|en savoir plus"
        r"|(leer|ver) más|seguir leyendo|leggi (tutto|di più|altro)|continua a leggere"
        r"|lees (verder|meer)|meer lezen|l[eê]r mais|leia mais|saiba mais|läs mer|les mer|læs mere"
        r"|czytaj (dalej|więcej)|читать (далее|дальше|полностью)|devamını oku"
        r"|続きを読む|もっと見る|阅读更多|اقرأ المزيد"
    ),
    "share buttons": (
        r"share( this( (article|post|page|story))?)?"
        r"|(share|save|follow( us)?) (on|via|to|by) [\w\- ]{2,20}"
        r"|tweet( this)?|pin( it)?|copy link|email this( article)?|print( this page)?"
        r"|teilen|(artikel|beitrag) teilen|partager( (sur|cet article).*)?"
        r"|compartir( en .*)?|condividi( su .*)?|delen"
        rf"|{_NETWORK}([\s|/·•,&]+{_NETWORK})+|facebook|twitter|linkedin|pinterest|whatsapp|reddit|instagram"
    ),
    "a newsletter sign-up": (
        r"(subscribe|sign up|join)( now| today)?( (to|for) (our"
        r"|the|my) .{0,40}(newsletter|mailing list|updates).*)?"
        r"|(subscribe|sign up|register|join)( to| for)? .{0,30}newsletter.{0,40}"
        r"|newsletter|.{0,20}newsletter sign-?up"
        r"|(enter )?your e-?mail( address)?|get .{0,40} (in|to) your inbox.*"
        r"|(unseren )?newsletter (abonnieren|bestellen)|(abonnez-vous|inscrivez-vous) .{0,30}newsletter.*"
        r"|suscr[ií]bete .{0,40}|iscriviti .{0,30}newsletter.*|schrijf je in .{0,30}nieuwsbrief.*"
    ),
    "a cookie notice": (
        r"(we|this (web)?site|our (web)?site) uses? cookies.*|by (using|continuing) .{0,60}cookies.*"
        r"|(accept|reject|decline|allow)( all)?( cookies)?|(manage"
        r"|cookie) (preferences|settings|consent|cookies|notice|policy)"
        r"|(wir|diese (web)?seite) (verwende[tn]|nutz(en|t)) cookies.*|alle (cookies )?(akzeptieren|ablehnen)"
        r"|(nous utilisons|ce site utilise) des cookies.*|(tout accepter"
        r"|tout refuser|aceptar todo|accetta tutto)"
        r"|(utilizamos|usamos|este sitio (web )?(usa|utiliza)) cookies.*|(we value|your) your? ?privacy"
    ),
    "an image's credit": (
        r"(photo|image|picture|illustration|foto|bild)( credit"
        r"| source)?s?\s*(:|by|©|courtesy of|von|par|de) .{2,100}"
        r"|(photo|image) credits?|.{0,60}\b(on|/|via) (unsplash"
        r"|pexels|pixabay|shutterstock|getty images|istock).{0,20}"
        r"|(unsplash|pexels|pixabay|shutterstock|getty images|istock(photo)?)"
    ),
    "a menu": (
        r"menu|menü|skip to (main )?(content|navigation)|back to (the )?top"
        r"|(nach|zurück nach) oben|search( this site)?"
        r"|(log|sign) ?(in|out|up)|my account|(next|previous|older|newer)( (article|post|page|posts))?"
        r"|home(( ?[|>»›·•] ?| / )[\w&,' -]{2,60})+|home|startseite|accueil|inicio"
        rf"|{_PAGE}([|/·•»›>\s]+{_PAGE})*"
    ),
    "an advertisement": (
        r"advertise?ment|sponsored( content| post)?|promoted|anzeige|werbung|publicité|publicidad"
    ),
    "page furniture": (
        r"\d+ ?[- ]?min(ute)?s?( of)?( read(ing)?( time)?)?|reading time:? .{1,20}|lesezeit:? .{1,20}"
        r"|(last )?(updated|modified|published|posted)( on)?:? .{0,40}\d{4}"
        r"|\d+ (views|shares|likes|comments?)"
        r"|(leave|post|add) a? ?(comment|reply)|comments?( \(\d+\))?"
        r"|(©|copyright|\(c\)).{0,80}|.{0,60}all rights reserved.{0,60}"
        r"|powered by .{2,40}"
    ),
}
LINE_RULES = tuple((why, re.compile(pattern, re.IGNORECASE)) for why, pattern in LINES.items())
READ_MORE = re.compile(LINES["a link to read more"], re.IGNORECASE)

TEASERS = re.compile(
    r"(hot|related|similar|recommended|popular|latest|recent|trending|featured|top|more)( \w+)? "
    r"(articles?|posts?|reading|stories|topics?|guides|news|reads|content|pages|links)"
    r"|(you|readers) (may|might|will|could)( also)? (like|enjoy"
    r"|love|be interested in).{0,20}|you('|’)ll also like"
    r"|(what to )?read next|up next|keep reading|trending( now)?|don('|’)t miss|recommended for you"
    r"|(ähnliche|verwandte|weitere|beliebte|neueste) (artikel"
    r"|beiträge|themen)|das könnte (sie|dich) auch interessieren"
    r"|articles (similaires|connexes|liés|recommandés|populaires)|à lire (aussi|également)|vous aimerez aussi"
    r"|(artículos|entradas|noticias) (relacionad[oa]s|similares|populares)|también te puede interesar"
    r"|articoli (correlati|simili)|potrebbe interessarti.*|artigos relacionados"
    r"|(gerelateerde|populaire) (artikelen|berichten)"
    r"|lees ook|relaterade artiklar|powiązane artykuły|похожие (статьи|записи)|関連記事|相关文章",
    re.IGNORECASE,
)
PERHAPS_TEASERS = re.compile(r"more (from|on|in|like) .{2,40}", re.IGNORECASE)
CONTENTS = re.compile(
    r"(table of )?contents|in this (article|guide|post)|on this page|what('|’)s inside|inhalt(sverzeichnis)?"
    r"|sommaire|table des matières|índice|contenido|indice|inhoud(sopgave)?",
    re.IGNORECASE,
)
ENOUGH_WORDS = 25
"""So many words under one heading are a section again, not a teaser's blurb."""


def why_furniture(words: str) -> str | None:
    """Why a line of this text is page furniture, in a few words; None when it belongs to the guide."""
    line = words.strip()
    if not line or len(line) > FURNITURE_LENGTH:
        return None
    bare = line.strip(ARROWS) or line
    for why, rule in LINE_RULES:
        if rule.fullmatch(bare):
            return why
    return None


def sweep(blocks: Sequence[Block]) -> tuple[list[Block], list[LineNote]]:
    """The blocks that belong to the guide, and a note for each that does not."""
    kept, notes = _without_teasers(blocks)
    kept, more = _without_contents(kept)
    notes += more
    swept: list[Block] = []
    for at, block in enumerate(kept):
        # A cook's guide may have a section "Menu": a heading with a real text below it stays.
        if (
            isinstance(block, Heading)
            and count_words(kept[at + 1 : _next_heading(kept, at + 1)]) >= ENOUGH_WORDS
        ):
            swept.append(block)
            continue
        left, found = _without_furniture(block)
        notes += found
        swept += [left] if left is not None else []
    return swept, sorted(notes, key=lambda note: note.line)


def _without_furniture(block: Block) -> tuple[Block | None, list[LineNote]]:
    """The block with its furniture taken out, or None when nothing else was in it."""
    if isinstance(block, Heading | Paragraph):
        why = why_furniture(plain(block.text))
        return (None, [LineNote(block.line, plain(block.text), why)]) if why else (block, [])
    if isinstance(block, Bullets):
        reasons = [None if item.children else why_furniture(plain(item.text)) for item in block.items]
        kept = tuple(item for item, why in zip(block.items, reasons, strict=True) if not why)
        notes = [
            LineNote(item.line, plain(item.text), why)
            for item, why in zip(block.items, reasons, strict=True)
            if why
        ]
        if not kept:
            return None, notes
        return (Bullets(kept, kept[0].line, block.is_ordered, block.start) if notes else block), notes
    return block, []


def _without_teasers(blocks: Sequence[Block]) -> tuple[list[Block], list[LineNote]]:
    kept: list[Block] = []
    notes: list[LineNote] = []
    position = 0
    while position < len(blocks):
        block = blocks[position]
        if _opens_teasers(blocks, position):
            end = _end_of_teasers(blocks, position)
            title = plain_of(block)
            for teaser in blocks[position:end]:
                if is_disclaimer(plain_of(teaser)):
                    kept.append(teaser)
                    continue
                why = f"a teaser after “{title}”" if teaser is not block else "the heading of teasers"
                notes += [LineNote(piece.line, piece.text, why) for piece in pieces_of(teaser)]
            position = end
        else:
            kept.append(block)
            position += 1
    return kept, notes


def _opens_teasers(blocks: Sequence[Block], at: int) -> bool:
    """Whether the block at `at` says that what follows advertises other pages."""
    block = blocks[at]
    if not isinstance(block, Heading | Paragraph):
        return False
    words = plain(block.text).strip(":" + ARROWS)
    if TEASERS.fullmatch(words) or not PERHAPS_TEASERS.fullmatch(words):
        return TEASERS.fullmatch(words) is not None
    return count_words(blocks[at + 1 : _next_heading(blocks, at + 1)]) < ENOUGH_WORDS


def _next_heading(blocks: Sequence[Block], start: int) -> int:
    """Where the next heading stands, from `start` on, or the end of all."""
    return next((at for at in range(start, len(blocks)) if isinstance(blocks[at], Heading)), len(blocks))


def _end_of_teasers(blocks: Sequence[Block], start: int) -> int:
    """Where the guide goes on after the teaser heading at `start`: at a heading with a real text below.

    A teaser's blurb is real text too, but a "Read more" follows it, so the search begins behind the
    last of these.
    """
    links = [
        at for at in range(start, len(blocks)) if READ_MORE.fullmatch(plain_of(blocks[at]).strip(ARROWS))
    ]
    for at in range(max(links[-1:] or [start]) + 1, len(blocks)):
        own = blocks[at + 1 : _next_heading(blocks, at + 1)]
        if isinstance(blocks[at], Heading) and count_words(own) >= ENOUGH_WORDS:
            return at
    return len(blocks)


def _without_contents(blocks: Sequence[Block]) -> tuple[list[Block], list[LineNote]]:
    """Without a table of contents: a list, right below such a heading, that repeats the guide's headings."""
    headings = {_key(plain(block.text)) for block in blocks if isinstance(block, Heading)}
    kept: list[Block] = []
    notes: list[LineNote] = []
    for block in blocks:
        previous = kept[-1] if kept else None
        below = isinstance(previous, Heading | Paragraph) and CONTENTS.fullmatch(
            plain(previous.text).strip(": ")
        )
        entries = [_key(plain(item.text)) for item in block.items] if isinstance(block, Bullets) else []
        repeats = bool(entries) and sum(entry in headings for entry in entries) * 2 > len(entries)
        if below and repeats and previous is not None:
            kept.pop()
            for left in (previous, block):
                notes += [
                    LineNote(piece.line, piece.text, "a table of contents") for piece in pieces_of(left)
                ]
        else:
            kept.append(block)
    return kept, notes


def _key(words: str) -> str:
    return re.sub(r"[\W\d_]+", " ", words.casefold()).strip()


def pieces_of(block: Block) -> list[Piece]:
    """A block's text with its lines: one piece for a paragraph, one for each point of a list."""
    if isinstance(block, Bullets):
        return [
            piece
            for item in block.items
            for piece in [
                Piece(item.line, plain(item.text)),
                *(inner for child in item.children for inner in pieces_of(child)),
            ]
        ]
    return [Piece(block.line, plain_of(block))]
