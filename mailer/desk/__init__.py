"""What people and programs do here, for the web pages and the API: ask the right, do it, note it.

Each function takes a session and the actor first and says by `needs` which right it takes; `tests` hold
every public function of this package to that.
"""
