"""A checkout's `pricematch`, run and asked; what varies from run to run is left out of its answers."""

import http.client
import json
import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

START_SECONDS = 600
TIMES = {"took_ms", "seconds", "created", "created_at", "changed_at", "decided_at"}
VARYING = TIMES | {"job_id", "instance", "request_id"}
BOUNDARY = "golden-answers"
JSON = "application/json"
Part: TypeAlias = tuple[str, str | None, bytes]
"""Of a multipart form: name, file name or None, content."""


def comparable(value: Any) -> Any:
    """The value without what varies from run to run: times, digests of files, ids that are drawn."""
    if isinstance(value, dict):
        kept = {key: it for key, it in value.items() if key not in VARYING and "digest" not in key}
        return {key: comparable(it) for key, it in kept.items()} | _job_count(value)
    return [comparable(it) for it in value] if isinstance(value, list) else value


def _job_count(value: Mapping[str, Any]) -> dict[str, int]:
    """`created` is a time in manifests and a number of postings in jobs."""
    return {"created": value["created"]} if isinstance(value.get("created"), int) else {}


@dataclass(frozen=True)
class Checkout:
    """A `pricematch` executable and the folder that it runs in, so that no path in its output differs."""

    executable: Path
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """No setting but these, and tables of one width."""
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("PRICEMATCH_")}
        settings = {"PRICEMATCH_ENCODER": "cnn", "PRICEMATCH_PRECISION": "float32", "PRICEMATCH_REQUEST_SECONDS": "600"}
        return inherited | settings | {"COLUMNS": "200", "TERM": "dumb", "NO_COLOR": "1"}

    def run(self, *arguments: str) -> list[str]:
        """The lines that a verb prints; raises RuntimeError where it fails."""
        print("pricematch", *arguments, flush=True)
        done = subprocess.run(
            [self.executable, *arguments],
            cwd=self.folder,
            env=self.environment,
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise RuntimeError(f"pricematch {' '.join(arguments)} ended with {done.returncode}:\n{done.stderr}")
        return [re.sub(r"\b\d+ s\b", "… s", line.rstrip()) for line in done.stdout.splitlines()]

    @contextmanager
    def serving(self, *arguments: str) -> Iterator["Service"]:
        """The service, ready to be asked."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        print("pricematch serve", *arguments, flush=True)
        command = [str(self.executable), "serve", "--port", str(port), "--encoders", "cae,autoencoder", *arguments]
        with (self.folder / "serve.log").open("ab") as log:
            process = subprocess.Popen(command, cwd=self.folder, env=self.environment, stdout=log, stderr=log)
        try:
            service = Service(port)
            if not service.is_ready(process):
                written = (self.folder / "serve.log").read_text(encoding="utf-8")
                raise RuntimeError(f"the service did not become ready:\n{written[-2000:]}")
            yield service
        finally:
            process.terminate()
            process.wait()


@dataclass(frozen=True)
class Service:
    """A service on this machine."""

    port: int

    def is_ready(self, process: subprocess.Popen[bytes]) -> bool:
        """Whether it becomes ready before it ends and in time."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            try:
                if self.ask("GET", "/readyz")["status"] == 200:
                    return True
            except OSError:
                pass
            time.sleep(0.2)
        return False

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        media_type: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Status, entity tag and body of an answer, without what varies."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=START_SECONDS)
        try:
            sent = dict(headers or {}) | ({} if media_type is None else {"Content-Type": media_type})
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            content, kind = answer.read(), answer.headers.get_content_type()
        finally:
            connection.close()
        found: dict[str, Any] = {"status": answer.status, "type": kind}
        if tag := answer.headers.get("ETag"):
            found["etag"] = tag
        if location := answer.headers.get("Location"):
            return found | {"job": self._ended_job(location)}
        if kind.endswith("json"):
            return found | {"body": comparable(json.loads(content))}
        if kind.startswith("text/"):
            return found | {"body": re.sub(r"\d{4}-\d\d-\d\dT[^,\s]*", "TIME", content.decode()).splitlines()}
        return found | {"bytes": len(content)}

    def _ended_job(self, location: str) -> dict[str, Any]:
        """The job at this address once it has ended; how far it was before depends on the moment."""
        while (job := self.ask("GET", location))["body"]["state"] in {"queued", "running"}:
            time.sleep(0.1)
        return job

    def get(self, path: str) -> dict[str, Any]:
        """The answer to GET."""
        return self.ask("GET", path)

    def send(self, method: str, path: str, value: Any) -> dict[str, Any]:
        """The answer to a value sent as JSON."""
        return self.ask(method, path, json.dumps(value).encode(), JSON)

    def form(self, method: str, path: str, *parts: Part) -> dict[str, Any]:
        """The answer to a multipart form of parts: name, file name or None, and content."""
        body = b""
        for name, file, content in parts:
            file_name = "" if file is None else f'; filename="{file}"'
            head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{file_name}\r\n\r\n'
            body += head.encode() + content + b"\r\n"
        return self.ask(
            method, path, body + f"--{BOUNDARY}--\r\n".encode(), f"multipart/form-data; boundary={BOUNDARY}"
        )
