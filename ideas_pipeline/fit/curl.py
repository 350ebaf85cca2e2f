"""Read lines of curl, as an API's reference or a browser's "Copy as cURL" has them."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Sequence
from urllib.parse import parse_qsl, urlsplit

from requests.structures import CaseInsensitiveDict

from ideas_pipeline.contract.types import Json, SendAs
from ideas_pipeline.fit.evidence import Exchange, origin_of

_DATA = {"-d", "--data", "--data-raw", "--data-binary", "--data-ascii", "--data-urlencode"}
# Options that have a value (https://curl.se/docs/manpage.html). If one is missing, a token may be taken for the URL.
_SHORT = frozenset("ACDEFHKPQTUXYbcdemortuwxyz")
_LONG_NAMES = (
    "abstract-unix-socket alt-svc aws-sigv4 cacert capath cert cert-type ciphers config connect-timeout connect-to "
    "continue-at cookie cookie-jar create-file-mode crlfile curves data data-ascii data-binary data-raw "
    "data-urlencode delegation dns-interface dns-ipv4-addr dns-ipv6-addr dns-servers doh-url dump-header ech "
    "egd-file engine etag-compare etag-save expect100-timeout form form-string ftp-account "
    "ftp-alternative-to-user ftp-method ftp-port ftp-ssl-ccc-mode happy-eyeballs-timeout-ms haproxy-clientip "
    "header hostpubmd5 hostpubsha256 hsts interface ip-tos ipfs-gateway json keepalive-cnt keepalive-time key "
    "key-type krb libcurl limit-rate local-port login-options mail-auth mail-from mail-rcpt max-filesize "
    "max-redirs max-time netrc-file noproxy oauth2-bearer output output-dir parallel-max pass pinnedpubkey "
    "preproxy proto proto-default proto-redir proxy proxy-cacert proxy-capath proxy-cert proxy-cert-type "
    "proxy-ciphers proxy-crlfile proxy-header proxy-key proxy-key-type proxy-pass proxy-pinnedpubkey "
    "proxy-service-name proxy-tls13-ciphers proxy-tlsauthtype proxy-tlspassword proxy-tlsuser proxy-user proxy1.0 "
    "pubkey quote random-file range rate referer request request-target resolve retry retry-delay retry-max-time "
    "sasl-authzid service-name sigalgs socks4 socks4a socks5 socks5-gssapi-service socks5-hostname speed-limit "
    "speed-time stderr telnet-option tftp-blksize time-cond tls-max tls13-ciphers tlsauthtype tlspassword tlsuser "
    "trace trace-ascii trace-config unix-socket upload-file url url-query user user-agent variable vlan-priority "
    "write-out"
)
_LONG = frozenset(f"--{name}" for name in _LONG_NAMES.split())


def curl_lines(text: str) -> list[str]:
    """The curl commands in a text; a backslash at the end of a line continues it."""
    joined = re.sub(r"\\\r?\n", " ", text)
    lines = [re.sub(r"^[\s$>#`]*", "", line) for line in joined.splitlines()]
    return [line.rstrip("`") for line in lines if re.match(r"curl(\.exe)?\s", line)]


def read_curl(text: str, source: str) -> list[Exchange]:
    """The requests of curl lines. They have no responses, and their paths are absolute."""
    return [exchange for line in curl_lines(text) for exchange in _requests(line, source)]


def _requests(line: str, source: str) -> Iterator[Exchange]:
    try:
        words = shlex.split(line.replace("$'", "'"), comments=False)[1:]
    except ValueError:
        return
    url, method, as_query = "", "", False
    headers: CaseInsensitiveDict[str] = CaseInsensitiveDict()
    data: list[str] = []
    fields: dict[str, Json] = {}
    json_body = ""
    options = list(_options(words))
    for name, value in options:
        if name in ("-X", "--request"):
            method = value.upper()
        elif name in ("-H", "--header"):
            key, _, text = value.partition(":")
            headers[key.strip()] = text.strip()
        elif name in _DATA:
            data.append(value)
        elif name in ("-F", "--form"):
            key, _, text = value.partition("=")
            fields[key] = text
        elif name == "--json":
            json_body = value
        elif name in ("-G", "--get"):
            as_query = True
        elif name == "--url":
            url = value
    url = url or _url(options)
    parts = urlsplit(url if "://" in url else f"https://{url}")
    if not url or not parts.hostname:
        return
    query: dict[str, Json] = dict(parse_qsl(parts.query, keep_blank_values=True))
    posted, send_as = _body("&".join(data), fields, json_body)
    if as_query or not posted:
        values, send_as = query | (posted if as_query else {}), "query"
    else:
        values = posted
    method = method or ("POST" if posted and not as_query else "GET")
    yield Exchange(source, method, parts.path, values, send_as, headers, base=origin_of(parts))


def _options(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The words of a command as pairs of option and value.

    The value of an option without one is empty, and so is the option of a word that is not the value of an option.
    """
    following = iter(words)
    for word in following:
        if word.startswith("--"):
            name, _, attached = word.partition("=")
            yield name, attached or (next(following, "") if name in _LONG else "")
        elif word.startswith("-") and len(word) > 1:
            for at, letter in enumerate(word[1:], 2):
                if letter in _SHORT:
                    yield f"-{letter}", word[at:] or next(following, "")
                    break
                yield f"-{letter}", ""
        else:
            yield "", word


def _url(options: Sequence[tuple[str, str]]) -> str:
    """The URL: one of the words that are not the value of an option; empty if there is none."""
    bare = [value for name, value in options if not name]
    # A word after an unknown option may be its value.
    apart = [
        value
        for at, (name, value) in enumerate(options)
        if not name and (at == 0 or not options[at - 1][0] or options[at - 1][1])
    ]
    return next((word for word in bare if "://" in word), (apart or bare[-1:] or [""])[0])


def _body(data: str, fields: dict[str, Json], json_body: str) -> tuple[dict[str, Json], SendAs]:
    text = json_body or data
    if text.lstrip().startswith("{"):
        try:
            body = json.loads(text)
        except ValueError:
            return {}, "json"
        return (body if isinstance(body, dict) else {}), "json"
    return dict(parse_qsl(data, keep_blank_values=True)) | fields, "form"
