# SPDX-License-Identifier: Apache-2.0
"""Who may: Basic, or tokens of a server on another port, with challenges spelled as the test says.

A challenge is a template with {realm}, {service}, {scope} and {error}; several are several header lines."""
import base64
import json
import secrets
import threading
import time
import urllib.parse

from .exchange import Reply, error

BEARER = 'Bearer realm="{realm}",service="{service}",scope="{scope}"{error}'
BASIC = 'Basic realm="test registry"'


class Token:
    def __init__(self, user, scopes, seconds, uses):
        self.user, self.scopes, self.uses = user, scopes, uses
        self.ends = time.monotonic() + seconds

    def covers(self, name, action):
        return any(kind == name and action in actions for kind, actions in self.scopes)


def parse_scopes(values):
    """[("app", {"pull", "push"}), ...] of scope parameters, each of which may hold several."""
    found = []
    for scope in " ".join(values).split():
        parts = scope.split(":")
        if len(parts) >= 3 and parts[0] == "repository":
            found.append((":".join(parts[1:-1]), set(parts[-1].split(","))))
    return found


class Authority:
    """kind: None, "basic" or "bearer". anonymous: what needs no user ("pull", or None)."""

    def __init__(self, registry, kind=None, users=None, anonymous=None, seconds=300, uses=None, challenges=None,
                 answer="token", tell_expiry=True, realm=None, identity=None):
        self.registry, self.kind, self.users = registry, kind, users or {"user": "secret"}
        self.anonymous, self.seconds, self.uses = anonymous, seconds, uses
        self.challenges = challenges or [BASIC if kind == "basic" else BEARER]
        self.answer, self.tell_expiry, self.realm = answer, tell_expiry, realm
        self.identity = identity  # a refresh token that is accepted
        self.tokens, self.lock = {}, threading.Lock()

    def expire(self):
        """All tokens so far are over."""
        with self.lock:
            self.tokens.clear()

    # --- at the registry -------------------------------------------------------------------------
    def refusal(self, entry, why=None):
        action = "pull" if entry.method in ("GET", "HEAD") or self.registry.profile.challenge == "pull" else "pull,push"
        values = {"realm": self.realm or f"{self.registry.url_of('token')}/token", "service": "test-registry",
                  "scope": f"repository:{entry.repository}:{action}" if entry.repository else "",
                  "error": f',error="{why}"' if why else ""}
        lines = [line.format(**values) for line in self.challenges]
        if not entry.repository:
            lines = [line.replace(',scope=""', "") for line in lines]
        return error(401, "UNAUTHORIZED", "authentication required", **{"WWW-Authenticate": lines})

    def check(self, entry):
        """None when the request may go on, else the 401."""
        if self.kind is None:
            return None
        action = "pull" if entry.method in ("GET", "HEAD") else "push"
        if self.anonymous == "pull" and action == "pull" and self.kind == "basic":
            return None
        scheme, _, value = (entry.authorization or "").partition(" ")
        if self.kind == "basic":
            return None if scheme.lower() == "basic" and self.user_of(value) else self.refusal(entry)
        token = self.token_of(value) if scheme.lower() == "bearer" else None
        if token is None:
            return self.refusal(entry, "invalid_token" if value else None)
        if entry.repository and not token.covers(entry.repository, action):
            return self.refusal(entry, "insufficient_scope")
        return None

    def may_mount(self, entry, source):
        """Tokens must hold the other repository's scope too."""
        if self.kind != "bearer":
            return True
        token = self.token_of((entry.authorization or "").partition(" ")[2], use=False)
        return token is not None and token.covers(source, "pull")

    def token_of(self, value, use=True):
        with self.lock:
            token = self.tokens.get(value)
            if token is None or token.ends < time.monotonic() or token.uses == 0:
                return None
            if use and token.uses is not None:
                token.uses -= 1
            return token

    def user_of(self, encoded):
        try:
            user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
        except ValueError:
            return None
        return user if self.users.get(user) == password else None

    # --- the token server ------------------------------------------------------------------------
    def answer_token(self, handler):
        """GET with Basic or nobody, or POST of a form with a password or a refresh token."""
        entry, form = handler.entry, dict(handler.entry.query)
        user, known = None, True
        if entry.method == "POST":
            form = urllib.parse.parse_qs((handler.whole_body(1 << 16) or b"").decode())
            user, known = self.user_of_form(form)
        elif entry.authorization:
            scheme, _, value = entry.authorization.partition(" ")
            user = self.user_of(value) if scheme.lower() == "basic" else None
            known = user is not None
        if not known:
            return error(401, "UNAUTHORIZED", "incorrect username or password", **{"WWW-Authenticate": BASIC})
        scopes = parse_scopes(form.get("scope", []))
        entry.scopes = scopes
        if self.registry.profile.foreign_scope == "refused" and len({name for name, _ in scopes}) > 1:
            return error(403, "DENIED", "access to another repository is denied")
        return self.issue(user, scopes)

    def user_of_form(self, form):
        first = {name: values[0] for name, values in form.items()}
        if first.get("grant_type") == "refresh_token":
            return "user", self.identity is not None and first.get("refresh_token") == self.identity
        user = first.get("username")
        return user, user in self.users and self.users[user] == first.get("password")

    def issue(self, user, scopes):
        if user is None:
            allowed = {"pull"} if self.anonymous == "pull" else set()
            scopes = [(name, actions & allowed) for name, actions in scopes]
        value = secrets.token_urlsafe(24)
        with self.lock:
            self.tokens[value] = Token(user, scopes, self.seconds, self.uses)
        document = {self.answer: value, **({"expires_in": int(self.seconds)} if self.tell_expiry else {})}
        return Reply(200, {"Content-Type": "application/json"}, json.dumps(document).encode())
