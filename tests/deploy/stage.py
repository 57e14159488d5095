"""Runs the services of `deploy/compose.yaml` without containers: `stage.py FOLDER SERVICES_JSON`.

It is the first process of network, mount and process namespaces of its own: hosts have the names of the services, and
every service listens on the port that the file says. What the file mounts lies in the folder under the container's
path; that path is replaced in commands, variables and mounted files. Nothing else is changed. A line on standard input
is a question, answered by a line of JSON on standard output; the end of input ends everything.
"""

from __future__ import annotations

import json
import os
import pwd
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

PROGRAMS = {"prom/prometheus": ["prometheus"], "prom/alertmanager": ["prometheus-alertmanager"]}
"""What an image without `command[0]` starts."""


class Stage:
    def __init__(self, folder: Path, services: dict[str, Any], paths: dict[str, str]) -> None:
        self.folder, self.services, self.paths = folder, services, paths
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def translate(self, text: str) -> str:
        """The container's paths, longest first, as they are here."""
        for inside in sorted(self.paths, key=len, reverse=True):
            text = re.sub(rf"(?<![\w.]){re.escape(inside)}(?=[/\s'\"]|$)", self.paths[inside], text)
        return text

    def start(self, name: str) -> str:
        """Begin a service; its output goes to a file."""
        service = self.services[name]
        command = [self.translate(str(part)) for part in service.get("command", [])]
        image = service["image"].partition(":")[0]
        environment = {key: self.translate(str(value)) for key, value in service.get("environment", {}).items()}
        if image == "postgres":
            return self.start_postgres(environment)
        kept = {name: os.environ[name] for name in ("PATH", "OMP_NUM_THREADS", "PYTHONPATH") if name in os.environ}
        where = self.translate(service.get("working_dir", "")) or str(self.folder)
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [*PROGRAMS.get(image, []), *command],
                cwd=where,
                env={**kept, "HOME": str(self.folder), **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        return "started"

    def start_postgres(self, environment: dict[str, str]) -> str:
        """As the image does it: make the cluster, the database, and run what lies in the folder of scripts."""
        programs = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
        data = Path(self.paths["/var/lib/postgresql/data"])
        owner = pwd.getpwnam("postgres")
        os.chown(data, owner.pw_uid, owner.pw_gid)
        secret = self.folder / "password"
        secret.write_text(environment["POSTGRES_PASSWORD"])
        os.chown(secret, owner.pw_uid, owner.pw_gid)
        user = environment["POSTGRES_USER"]
        options = [f"--username={user}", f"--pwfile={secret}", "--auth=scram-sha-256"]
        as_owner: dict[str, Any] = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": [], "cwd": "/"}
        log = (self.folder / "postgres.log").open("ab")
        subprocess.run([programs / "initdb", data, *options], check=True, stdout=log, **as_owner)
        self.processes["postgres"] = subprocess.Popen(
            [programs / "postgres", "-D", data, "-k", "/tmp", "-h", "127.0.0.1"], stdout=log, stderr=log, **as_owner
        )
        self.wait("postgres")
        asked = {**os.environ, "PGPASSWORD": environment["POSTGRES_PASSWORD"]}
        [script] = [path for inside, path in self.paths.items() if inside.startswith("/docker-entrypoint-initdb.d/")]
        to = ["psql", "--host=127.0.0.1", f"--username={user}", "--set=ON_ERROR_STOP=1", "--quiet"]
        create = f"CREATE DATABASE {environment['POSTGRES_DB']}"
        subprocess.run([*to, "--dbname=postgres", f"--command={create}"], check=True, env=asked, stdout=log)
        subprocess.run([*to, f"--dbname={environment['POSTGRES_DB']}", f"--file={script}"], check=True, env=asked)
        return "started"

    def wait(self, name: str, seconds: float = 300) -> str:
        """Until the health check of the service says yes; `ended STATUS` where it ended before."""
        test = self.services[name]["healthcheck"]["test"][1:]
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            status = self.processes[name].poll()
            if status is not None:
                return f"ended {status}"
            if subprocess.run(test, capture_output=True, check=False).returncode == 0:
                return "healthy"
            time.sleep(0.2)
        return "not healthy in time"

    def ended(self, name: str) -> int:
        """The exit status of a service that ends by itself."""
        return self.processes[name].wait(400)

    def http(self, method: str, url: str, token: str = "", body: Any = None) -> list[Any]:
        """Status and text of an answer; 0 where there is none."""
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
        content = None if body is None else json.dumps(body).encode()
        try:
            with urllib.request.urlopen(
                urllib.request.Request(url, content, headers, method=method), timeout=120
            ) as got:
                return [got.status, got.read().decode()]
        except urllib.error.HTTPError as error:
            return [error.code, error.read().decode()]
        except OSError as error:
            return [0, str(error)]

    def stop(self, name: str) -> int:
        """End a service as an engine does: with SIGTERM."""
        self.processes[name].send_signal(signal.SIGTERM)
        return self.processes[name].wait(60)


def main(folder: Path, described: dict[str, Any]) -> None:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    hosts = folder / "hosts"
    hosts.write_text("127.0.0.1 localhost " + " ".join(described["services"]) + "\n")
    subprocess.run(["mount", "--bind", hosts, "/etc/hosts"], check=True)
    stage = Stage(folder, described["services"], described["paths"])
    for path in described["texts"]:
        place = Path(path)
        place.write_text(stage.translate(place.read_text()))
    for line in sys.stdin:
        method, *arguments = json.loads(line)
        try:
            answer = getattr(stage, method)(*arguments)
        except Exception as error:
            answer = {"error": repr(error)}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text()))
