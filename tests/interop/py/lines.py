"""The protocol of ../README.md: requests in, answers and events out, one JSON object a line."""

import json
import sys
import threading

import trio


class Cannot(Exception):
    """What the implementation cannot do at all."""


# zeroconf tells what it finds on a thread of its own.
_lock = threading.Lock()


def _write(line):
    with _lock:
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


def event(kind, **fields):
    _write({"event": kind, **fields})


def complain(what, error):
    print(f"{what}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)


async def _answer(request, requests):
    tag = request.get("tag")
    try:
        run = requests.get(request.get("do"))
        if run is None:
            raise Cannot(f"no such request: {request.get('do')}")
        _write({"tag": tag, "ok": True, **(await run(request) or {})})
    except Cannot as error:
        _write({"tag": tag, "ok": False, "error": str(error), "cannot": True})
    except Exception as error:
        causes = "".join(f" <- {type(e).__name__}: {e}" for e in _causes(error))
        _write({"tag": tag, "ok": False, "error": f"{type(error).__name__}: {error}{causes}"})


def _causes(error):
    while (error := error.__cause__) is not None:
        yield error


async def serve(requests, nursery):
    """Answers each request as it is done, in any order, until `stop` or the end of the input."""
    while line := await trio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True):
        if not line.strip():
            continue
        try:
            request = json.loads(line)
        except ValueError as error:
            complain("not JSON", error)
            continue
        if request.get("do") in ("start", "stop"):
            await _answer(request, requests)
        else:
            nursery.start_soon(_answer, request, requests)
        if request.get("do") == "stop":
            return
