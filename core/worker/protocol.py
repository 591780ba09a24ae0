"""Messages of the worker protocol: newline-separated UTF-8 JSON objects."""
import json
import threading

from core.contract import json_text

TO_WORKER = ("job", "cancel", "ping", "quit")


class Writer:
    """Sends messages from any thread, whole lines only.
    A closed pipe is the reader's to notice: sends then do nothing."""

    def __init__(self, stream):
        self._stream, self._lock = stream, threading.Lock()

    def send(self, kind, job, **fields):
        """One message of type `kind` about `job` (None when it concerns none)."""
        line = json.dumps({"type": kind, "job": job, **fields}, ensure_ascii=False, allow_nan=False) + "\n"
        data = memoryview(line.encode("utf-8"))
        with self._lock:
            try:
                while data:
                    data = data[self._stream.write(data):]
            except (OSError, ValueError):
                return


def parse(line):
    """A message from one line of bytes. Raises ValueError with the reason when it is not one."""
    try:
        message = json_text.loads(line.decode("utf-8"), finite=False)
    except UnicodeDecodeError as error:
        raise ValueError("a line that is no UTF-8") from error
    except ValueError as error:
        raise ValueError(f"a line that cannot be read ({error})") from error
    if not isinstance(message, dict) or message.get("type") not in TO_WORKER:
        raise ValueError(f"a message has no known type ({line[:80]!r})")
    if message["type"] in ("job", "cancel") and not isinstance(message.get("job"), (str, int)):
        raise ValueError(f"a {message['type']} message has no job id")
    return message
