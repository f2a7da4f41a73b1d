# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Docker Engine, asked over a socket: here one that answers what a test wants."""

from __future__ import annotations

import http.server
import json
import socketserver
import threading

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._lab import engine, layout


class Stub(http.server.BaseHTTPRequestHandler):
    """An engine that has one lab's container, two images and a network whose name begins like another's."""

    seen: list = []

    def answer(self, status, text):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.seen.append(self.path)
        if "/networks" in self.path:
            self.answer(200, json.dumps([{"Name": "slipway-lab2"}, {"Name": "slipway-lab", "IPAM": {}}]))
        elif "/images/json" in self.path:
            self.answer(200, json.dumps([{"RepoTags": ["slipway-lab:b", "slipway-lab:a"]}, {"RepoTags": None}]))
        elif "/info" in self.path:
            self.answer(200, json.dumps({"ServerVersion": "20.10.24"}))
        else:
            self.answer(500, json.dumps({"message": "no such thing"}))

    def do_POST(self):
        received = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        while not self.headers.get("Content-Length") and not received.endswith(b"0\r\n\r\n"):
            received += self.rfile.read(1)  # to the end, or the client may meet a closed connection while it sends
        self.seen.append((self.path, received[:4]))
        self.answer(200, '{"status":"Importing"}\n{"error":"unexpected EOF"}\n')

    def log_message(self, *arguments):
        pass


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

    def get_request(self):
        request, _address = super().get_request()
        return request, ("local", 0)


@pytest.fixture
def docker(tmp_path):
    path = str(tmp_path / "docker.sock")
    with Server(path, Stub) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        Stub.seen = []
        yield engine.DockerEngine(path, timeout=5)
        server.shutdown()


def test_no_socket_is_no_engine(tmp_path):
    assert engine.DockerEngine(str(tmp_path / "none")).info() is None


def test_the_engine_tells_its_version(docker):
    assert docker.info()["ServerVersion"] == "20.10.24"


def test_a_network_is_found_by_its_whole_name(docker):
    assert docker.network("slipway-lab") == {"Name": "slipway-lab", "IPAM": {}}
    assert docker.network("slipway") is None


def test_images_without_a_name_are_left_out(docker):
    assert docker.images("slipway-lab") == ["slipway-lab:a", "slipway-lab:b"]


def test_an_error_says_what_was_asked_and_what_was_answered(docker):
    with pytest.raises(engine.EngineError, match=r"GET /containers/json: 500 .*no such thing"):
        docker.containers("lab")


def test_an_import_that_fails_inside_a_good_status_is_an_error(docker, tmp_path):
    (tmp_path / "root.tar").write_bytes(b"root")
    with pytest.raises(engine.EngineError, match="unexpected EOF"):
        docker.import_root("slipway-lab:bookworm-1", str(tmp_path / "root.tar"))
    assert "repo=slipway-lab" in docker_path() and "tag=bookworm-1" in docker_path()


def docker_path():
    return Stub.seen[-1][0]


@pytest.mark.parametrize(
    ("docker_host", "path"),
    [
        (None, engine.DEFAULT_SOCKET),
        ("", engine.DEFAULT_SOCKET),
        ("unix:///run/user/1000/docker.sock", "/run/user/1000/docker.sock"),
        ("tcp://build:2375", ""),
        ("ssh://build", ""),
    ],
)
def test_only_an_engine_of_this_machine_serves(docker_host, path):
    assert engine.socket_path(docker_host) == path


def test_capabilities_are_read_from_the_bounding_set():
    everything = (1 << 41) - 1  # up to CAP_CHECKPOINT_RESTORE
    assert layout.missing_capabilities(f"CapBnd:\t{everything:016x}\n") == []
    assert layout.missing_capabilities("Name:\tx\nCapBnd:\t000001fffeffffff\n") == ["SYS_RESOURCE"]
    assert layout.missing_capabilities("") == []


def test_room_is_that_of_the_nearest_parent_that_there_is(tmp_path):
    assert engine.free_megabytes(str(tmp_path / "not" / "yet" / "there")) == pytest.approx(
        engine.free_megabytes(str(tmp_path)), abs=200
    )
