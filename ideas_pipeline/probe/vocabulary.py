"""Names that APIs use for what the vendor's page does not state: headers, paths, parameters."""

from __future__ import annotations

HEADERS = (
    ("Authorization", "Bearer {access_token}"),
    ("Authorization", "OAuth {access_token}"),
    ("Authorization", "Token {access_token}"),
    ("Authorization", "{access_token}"),
    ("access_token", "{access_token}"),
    ("Access-Token", "{access_token}"),
    ("X-Access-Token", "{access_token}"),
    ("X-Auth-Token", "{access_token}"),
    ("X-Authorization", "Bearer {access_token}"),
    ("X-Api-Token", "{access_token}"),
    ("X-Api-Key", "{access_token}"),
    ("Token", "{access_token}"),
)

_FOLDERS = ("auth", "oauth", "oauth2", "api/auth")
CODE_PATHS = (
    *(f"{folder}/{name}" for name in ("code", "authorize") for folder in _FOLDERS),
    "authorize",
    "code",
    "authcode",
)
TOKEN_PATHS = (
    "auth",
    *(f"{folder}/{name}" for name in ("token", "access_token") for folder in _FOLDERS),
    "token",
    "oauth",
)
REFRESH_PATHS = (
    "auth/refresh",
    "auth",
    "auth/token",
    "auth/refresh_token",
    *(f"{folder}/{name}" for name in ("refresh", "token", "refresh_token") for folder in _FOLDERS[1:]),
    "refresh",
)
VALIDATE_PATHS = (
    "auth/validate",
    "auth/check",
    "auth/verify",
    "auth/token/validate",
    *(f"{folder}/{name}" for name in ("validate", "check", "verify", "introspect") for folder in _FOLDERS[1:]),
    "validate",
)

# The names of client id and secret, of the auth code, the access token and the refresh token as parameters.
CLIENT_NAMES = (
    ("client_id", "client_secret"),
    ("clientId", "clientSecret"),
    ("id", "secret"),
    ("app_id", "app_secret"),
    ("api_key", "api_secret"),
    ("key", "secret"),
)
CODE_NAMES = ("auth_code", "code", "authCode", "authorization_code")
ACCESS_NAMES = ("access_token", "token", "accessToken")
REFRESH_NAMES = ("refresh_token", "refreshToken", "token", "refresh")

# The words of the lists' paths.
LIST_WORDS = {
    "challenges": ("challenges", "campaigns", "contests", "boards", "competitions", "calls", "projects", "categories"),
    "users": ("users", "members", "people", "profiles", "accounts", "participants", "persons"),
    "ideas": ("ideas", "posts", "submissions", "entries", "suggestions", "proposals", "contributions", "items"),
    "comments": ("comments", "replies", "responses", "feedback", "discussion", "messages", "remarks"),
    "votes": ("votes", "ballots", "ratings", "likes", "reactions", "scores", "endorsements"),
}
PREFIXES = ("api/", "community/", "v2/")

PAGE_NAMES = (
    "page",
    "p",
    "page_number",
    "pageNumber",
    "page[number]",
    "page_no",
    "pageNo",
    "pg",
    "page_index",
    "pageIndex",
    "current_page",
    "currentPage",
)
OFFSET_NAMES = ("offset", "start", "skip", "from", "start_index", "startIndex", "startAt", "first", "page[offset]")
SIZE_NAMES = (
    "per_page",
    "limit",
    "page_size",
    "pageSize",
    "size",
    "perPage",
    "count",
    "max_results",
    "maxResults",
    "take",
    "page[size]",
    "per-page",
    "pagesize",
    "rows",
    "num",
    "top",
)
CURSOR_NAMES = (
    "cursor",
    "after",
    "page_token",
    "pageToken",
    "next_cursor",
    "next",
    "starting_after",
    "continuation",
    "next_token",
    "nextToken",
    "next_page_token",
    "page[after]",
    "scroll_id",
)
