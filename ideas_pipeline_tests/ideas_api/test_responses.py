from __future__ import annotations

from urllib.parse import urlsplit

import pytest
import requests

from ideas_pipeline.errors import LoginPage
from ideas_pipeline.ideas_api.responses import http_date, redirect_target, retry_after

NOW = 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        (" 1.5 ", 1.5),
        ("0", 0),
        ("Tue, 14 Nov 2023 22:14:20 GMT", 60),
        ("Tuesday, 14-Nov-23 22:14:20 GMT", 60),
        ("Tue, 14 Nov 2023 23:14:20 +0100", 60),
        ("1700000300", 300),
        ("1700000300.5", 300.5),
        ("1700000300500", 300.5),
        ("60s", 60),
        ("1m30s", 90),
        ("1500ms", 1.5),
        ("12 minutes", 720),
        ("1 hour 30 Seconds", 3630),
    ],
)
def test_seconds_dates_unix_times_and_durations_are_understood(value: str, seconds: float) -> None:
    assert retry_after(value, NOW) == seconds


@pytest.mark.parametrize("value", ["-5", "Tue, 14 Nov 2023 22:00:00 GMT", "1600000000"])
def test_a_moment_in_the_past_means_no_pause(value: str) -> None:
    assert retry_after(value, NOW) == 0


@pytest.mark.parametrize("value", ["999999999", "1900000000", "Tue, 14 Nov 2099 22:00:00 GMT"])
def test_a_pause_is_at_most_a_day(value: str) -> None:
    assert retry_after(value, NOW) == 86400


@pytest.mark.parametrize(
    "value", [None, "", "soon", "nan", "inf", "9 lives", "in 12 s", "Tue, 99 Nov 2023 22:13:20 GMT"]
)
def test_an_invalid_value_means_no_pause(value: str | None) -> None:
    assert retry_after(value, NOW) is None


def test_a_date_header_is_parsed() -> None:
    assert http_date("Tue, 14 Nov 2023 22:13:20 GMT") == NOW
    assert http_date("yesterday") is None
    assert http_date(None) is None


@pytest.mark.parametrize(
    ("location", "is_login"),
    [
        ("/login?next=%2Fv2%2Fideas", True),
        ("/users/sign_in", True),
        ("/people/ann@people.example/login", True),
        ("https://sso.example.com/oauth/signin", True),
        ("/v2/ideas/7-login-fails", False),
        ("/v2/blog-in-french", False),
    ],
)
def test_a_redirect_to_a_login_page_is_recognised_and_its_path_not_repeated(location: str, is_login: bool) -> None:
    redirect = requests.Response()
    redirect.status_code = 302
    redirect.headers["Location"] = location
    url = "https://ideas.example.com/v2/ideas"
    if is_login:
        with pytest.raises(LoginPage) as caught:
            redirect_target(redirect, "GET", url, "/v2/ideas")
        assert urlsplit(location).path not in str(caught.value)
    else:
        assert redirect_target(redirect, "GET", url, "/v2/ideas") == f"https://ideas.example.com{location}"
