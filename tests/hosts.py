"""Stand in for hosts of the internet: a TLS certificate for their names, and a proxy that leads to a local server.

Programs find both through the environment (HTTPS_PROXY, REQUESTS_CA_BUNDLE), so what they send is what they would
send to the real host, over a real TLS connection.
"""

from __future__ import annotations

import datetime
import os
import select
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from faulty_server import Answer, FaultyServer, serving


def certificate(folder: Path, hosts: Sequence[str]) -> tuple[Path, ssl.SSLContext]:
    """Make a certificate for the hosts and return its file, to be trusted, and the context that serves it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0])])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "host.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "key.pem").write_bytes(private)
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, folder / "key.pem")
    return path, context


class _Tunnel(socketserver.StreamRequestHandler):
    server: _Proxy

    def handle(self):
        method, target, _ = self.rfile.readline().decode().split()
        while self.rfile.readline().strip():
            pass
        host = target.partition(":")[0]
        self.server.seen.add(host)
        if method != "CONNECT" or host not in self.server.hosts:
            self.wfile.write(b"HTTP/1.1 403 Forbidden\r\n\r\n")
            return
        with socket.create_connection(("127.0.0.1", self.server.port)) as inside:
            self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
            pair = {inside: self.connection, self.connection: inside}
            while True:
                readable, _, _ = select.select(list(pair), [], [], 30)
                for end in readable:
                    data = end.recv(1 << 16)
                    if not data:
                        return
                    pair[end].sendall(data)
                if not readable:
                    return


class _Proxy(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, hosts: Sequence[str], port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Tunnel)
        self.hosts = set(hosts)
        self.port = port
        self.seen: set[str] = set()

    def handle_error(self, request, client_address):
        """Clients hang up on purpose here."""


@contextmanager
def standing_in(
    folder: Path, hosts: Sequence[str], scripts: Mapping[str, Sequence[Answer]]
) -> Iterator[tuple[FaultyServer, dict[str, str]]]:
    """Serve the scripts as if from the hosts; yields the server and the environment that leads there."""
    path, context = certificate(folder, hosts)
    with serving(scripts, tls=context) as server, _Proxy(hosts, server.server_port) as proxy:
        threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        address = f"http://127.0.0.1:{proxy.server_address[1]}"
        cleared = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        try:
            yield (
                server,
                {**cleared, "HTTPS_PROXY": address, "REQUESTS_CA_BUNDLE": str(path), "SSL_CERT_FILE": str(path)},
            )
        finally:
            proxy.shutdown()
