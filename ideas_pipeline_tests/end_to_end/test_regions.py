"""Communities of four regions: each sync goes over HTTPS to the host that the vendor's page names for its region.

A proxy leads the four hosts to simulators on this machine, as a company's proxy leads them to the vendor's.
"""

from __future__ import annotations

import selectors
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import trustme

from ideas_pipeline.contract.load import load_contract
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.cli.command import ideas_pipeline
from ideas_pipeline_tests.end_to_end.pipeline import small_village

HOSTS = {
    "AU": "api.crowdicity.com.au",
    "EU": "api.crowdicity-ie1.medallia.com",
    "UK": "api.crowdicity.com",
    "US": "api.crowdicity-us1.medallia.com",
}


class Proxy(socketserver.ThreadingTCPServer):
    """An HTTP proxy that knows CONNECT alone. ``ports``: where each host is on this machine."""

    daemon_threads = True

    def __init__(self, ports: dict[str, int]) -> None:
        super().__init__(("127.0.0.1", 0), Tunnel)
        self.ports = ports
        self.asked: set[str] = set()


class Tunnel(socketserver.StreamRequestHandler):
    server: Proxy

    def handle(self) -> None:
        target = self.rfile.readline().split()[1].decode()
        while self.rfile.readline().strip():
            pass
        self.server.asked.add(target)
        with socket.create_connection(("127.0.0.1", self.server.ports[target])) as host:
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            pass_on(self.connection, host)


def pass_on(one: socket.socket, other: socket.socket) -> None:
    """Pass on what either side sends, until one of them has ended."""
    with selectors.DefaultSelector() as selector:
        selector.register(one, selectors.EVENT_READ, other)
        selector.register(other, selectors.EVENT_READ, one)
        while True:
            for key, _ in selector.select():
                data = key.fileobj.recv(2**16)  # type: ignore[union-attr] # it is a socket
                if not data:
                    return
                key.data.sendall(data)


@contextmanager
def proxy(ports: dict[str, int]) -> Iterator[Proxy]:
    with Proxy(ports) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def test_each_region_is_synced_from_its_own_host_over_https(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    apis, ports = {}, {}
    lines = ["communities:"]
    variables = {"REQUESTS_CA_BUNDLE": str(tmp_path / "authority.pem")}
    with ExitStack() as stack:
        for seed, (region, host) in enumerate(HOSTS.items()):
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            authority.issue_cert(host).configure_cert(tls)
            api = stack.enter_context(Simulator(load_contract(None), small_village(seed), tls=tls))
            apis[region] = api
            ports[f"{host}:443"] = urlsplit(api.base_url).port or 0
            variables[f"{region}_SECRET"] = api.client_secret
            account = f'client_id: "{api.client_id}", client_secret: {{env: {region}_SECRET}}'
            lines.append(f"  in-{region.lower()}: {{api_region: {region}, {account}}}")
        (tmp_path / "ideas_pipeline.yaml").write_text("\n".join(lines))
        company = stack.enter_context(proxy(ports))
        address = f"http://127.0.0.1:{company.server_address[1]}"
        variables |= dict.fromkeys(("HTTPS_PROXY", "https_proxy"), address) | {"NO_PROXY": "", "no_proxy": ""}
        for region, host in HOSTS.items():
            name = f"in-{region.lower()}"
            command = ["sync", "--community", name, "--only", "challenges"]
            company.asked.clear()

            done = ideas_pipeline(*command, folder=tmp_path, **variables)

            assert done.returncode == 0, done.stderr
            assert company.asked == {f"{host}:443"}
            url = f"sqlite:///{tmp_path}/.ideas/{name}/warehouse.db"
            with Warehouse.open(url, name) as warehouse, warehouse.reading() as tx:
                rows = {tuple(row) for row in tx.connection.exec_driver_sql("SELECT id, title FROM challenges")}
            assert rows == {(str(one["id"]), one["title"]) for one in apis[region].tables["challenges"].values()}
