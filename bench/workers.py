"""An engine in a process of its own: when it crashes, the others go on."""

import multiprocessing
import signal


class EngineFailed(Exception):
    """The engine is gone; the text says why."""


def serve(connection, name, settings):
    """The life of the process: makes the engine, then answers calls until the end."""

    def say(message):
        connection.send(("say", message))

    try:
        import engines

        engine = engines.ENGINES[name](settings, say)
        connection.send(("done", engine.about))
        while True:
            method, arguments = connection.recv()
            connection.send(("done", getattr(engine, method)(*arguments)))
    except (EOFError, KeyboardInterrupt):
        pass  # the benchmark has ended
    except Exception as error:
        connection.send(("failed", f"{type(error).__name__}: {error}"))


class Worker:
    """The engine `name`, with the methods of engines.Peer and engines.Kith."""

    batch = "-"

    def __init__(self, name, settings, say):
        """say: takes a line of progress."""
        self.name = name
        self.say = say
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(
            target=serve, args=(theirs, name, settings), daemon=True
        )
        self.process.start()
        theirs.close()
        self.about = self.wait()

    def wait(self):
        while True:
            try:
                kind, value = self.connection.recv()
            except (EOFError, ConnectionError):
                self.process.join()
                raise EngineFailed(self.last_words()) from None
            if kind == "done":
                return value
            if kind == "failed":
                self.process.join()
                raise EngineFailed(value)
            self.say(f"{self.name}: {value}")

    def last_words(self):
        code = self.process.exitcode
        if code is not None and code < 0:
            name = signal.Signals(-code).name
            return f"crashed: {name} ({signal.strsignal(-code)})"
        return f"its process ended with {code}"

    def call(self, method, *arguments):
        try:
            self.connection.send((method, arguments))
        except (OSError, ConnectionError):
            pass  # it is gone: wait() finds out how
        return self.wait()

    def prepare(self, texts):
        self.batch = self.call("prepare", texts)

    def embed(self, texts):
        return self.call("embed", texts)

    def seconds(self, texts):
        return self.call("seconds", texts)

    def latency(self, text):
        return self.call("latency", text)

    def close(self):
        """Ends the process: it finds the pipe closed."""
        self.connection.close()
        self.process.join()
