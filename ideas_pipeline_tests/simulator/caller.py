"""A plain caller of the simulated API, and contracts that differ from the default one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import requests

from ideas_pipeline.contract.load import load_contract
from ideas_pipeline.contract.model import Contract
from ideas_pipeline.simulator.simulator import Simulator


def contract_with(folder: Path, changes: dict[str, Any]) -> Contract:
    file = folder / "contract.yaml"
    file.write_text(json.dumps(changes))
    return load_contract(file)


class Caller:
    """A client of the simulator, logged in unless ``login`` is false."""

    def __init__(self, simulator: Simulator, *, login: bool = True) -> None:
        self.base = simulator.base_url
        self.client = {"client_id": simulator.client_id, "client_secret": simulator.client_secret}
        self.session = requests.Session()
        if login:
            self.use(self.login())

    def post(self, path: str, **form: str) -> requests.Response:
        return self.session.post(self.base + path, data=form)

    def code(self) -> str:
        return str(self.post("auth/code", **self.client).json()["auth_code"])

    def login(self) -> dict[str, Any]:
        pair: dict[str, Any] = self.post("auth", auth_code=self.code(), **self.client).json()
        return pair

    def use(self, pair: dict[str, Any]) -> None:
        self.session.headers["Authorization"] = f"Bearer {pair['access_token']}"

    def get(self, path: str, **parameters: Any) -> requests.Response:
        return self.session.get(self.base + path, params=parameters, allow_redirects=False, timeout=10)
