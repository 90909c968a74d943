"""The program that serves one local model. `local_server` starts it by path, outside of any package.

1. The first line of standard input is the `local_server.Settings` as JSON; the first line of standard output answers with the
   address. When loading fails there is no such line, and standard error says why.
2. Afterwards it is silent, and serves until standard input ends. That end comes with the parent's, however the parent dies.
3. Loading holds the interpreter's lock, so no thread could see that end while a large model loads: the kernel's SIGIO does.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from importlib import import_module
from typing import Any

try:
    import fcntl
except ImportError:  # Windows: a parent that dies while the model loads is noticed when it has loaded
    fcntl = None  # type: ignore[assignment]  # the name is tested below


def main() -> None:
    """Load the model, say where it is served, and wait for the end of standard input."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answer = os.dup(1)
    _silence(1)
    settings = json.loads(sys.stdin.buffer.readline())
    _die_with_parent()
    sys.path.append(settings["library"])
    server = _serve(import_module("xllamacpp"), settings)
    os.write(answer, json.dumps({"address": server.listening_address}).encode() + b"\n")
    os.close(answer)
    _silence(2)
    sys.stdin.buffer.read()
    os._exit(0)  # at once: destroying the server waits for the answer it is writing


def _die_with_parent() -> None:
    if fcntl is not None:
        fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(0, fcntl.F_SETFL, fcntl.fcntl(0, fcntl.F_GETFL) | os.O_ASYNC)


def _serve(runtime: Any, settings: dict[str, Any]) -> Any:
    params = runtime.CommonParams()
    params.model.path = settings["path"]
    params.model_alias = {settings["alias"]}
    params.n_ctx = settings["context"]
    params.n_predict = settings["answer"]
    params.n_batch = (
        256  # a prompt whose caller has left is given up between two batches; larger ones are no faster here
    )
    params.cpuparams.n_threads = settings["threads"]
    params.cpuparams_batch.n_threads = settings["threads"]
    params.api_keys = [settings["key"]]  # other users of this machine can reach the port, too
    params.cors_origins = ""
    params.ui = False
    params.endpoint_slots = False
    params.cache_ram_mib = 0  # the default keeps up to 8 GiB of old prompts
    params.fit_params = False  # measures free memory by loading the model twice
    params.verbosity = 1  # errors only
    return runtime.Server(params)


def _silence(descriptor: int) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


if __name__ == "__main__":
    main()
