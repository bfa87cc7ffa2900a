"""Which courses are stopped at present, so that what waits in them takes no room from others."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.orm import Session

# All that dispatch goes by: holds, the course's sender, and transports of which each one is paused. Without
# transports of its own a sender has the one called `default`.
_STOPPED = text("""
    SELECT c.id FROM courses AS c LEFT JOIN senders AS s ON s.id = c.sender_id
    WHERE EXISTS (
        SELECT FROM holds AS h
        WHERE h.released_at IS NULL
          AND (h.scope = 'everything' OR (h.scope, h.target) = ('lane', 'course')
               OR (h.scope, h.target) = ('course', c.slug) OR (h.scope, h.target) = ('sender', s.slug))
    ) OR (
        SELECT bool_and(t.paused_at IS NOT NULL) FROM transports AS t
        WHERE CASE WHEN EXISTS (SELECT FROM sender_transports AS u WHERE u.sender_id = c.sender_id)
              THEN t.id IN (SELECT u.transport_id FROM sender_transports AS u WHERE u.sender_id = c.sender_id)
              ELSE t.slug = 'default' END
    )
    """)


def stopped_courses(session: Session) -> frozenset[int]:
    """The ids of the courses of which no lesson may leave before somebody resumes them; read from small
    tables."""
    return frozenset(session.execute(_STOPPED).scalars())
