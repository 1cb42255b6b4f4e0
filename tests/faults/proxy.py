"""A small TCP proxy between two parts, to cut the line, to slow it down, or to let it go dead without a word."""

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, Self

CHUNK = 65536


@dataclass(slots=True)
class Line:
    """One connection through the proxy. A dead one stays open on both sides, and nothing passes any more."""

    writers: list[asyncio.StreamWriter]
    dead: bool = False


@dataclass(slots=True)
class Proxy:
    """Carries bytes from its own port to another one, on a thread of its own. `carried`: how many so far."""

    target: int
    delay: float = 0.0
    refusing: bool = False
    lines: list[Line] = field(default_factory=list)
    port: int = 0
    carried: int = 0
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    thread: threading.Thread | None = None
    server: asyncio.Server | None = None

    def __enter__(self) -> Self:
        """Listen on a free port."""
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        self.run(self.listen())
        return self

    def __exit__(self, *_: object) -> None:
        """Close everything."""
        self.run(self.shut())
        self.loop.call_soon_threadsafe(self.loop.stop)
        if self.thread is not None:
            self.thread.join()
        self.loop.close()

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something on the proxy's thread and wait for it."""
        asyncio.run_coroutine_threadsafe(work, self.loop).result(10)

    def cut(self) -> None:
        """Close every connection. What connects from now on is closed at once, until `restore`."""
        self.refusing = True
        self.run(self.close_lines())

    def deaden(self) -> None:
        """Let every present connection stay open and carry nothing any more, for ever. New ones work."""
        for line in self.lines:
            line.dead = True

    def restore(self) -> None:
        """Let new connections through again, at full speed."""
        self.refusing, self.delay = False, 0.0

    async def listen(self) -> None:
        """Begin to accept."""
        self.server = await asyncio.start_server(self.accept, "127.0.0.1", 0)
        self.port = int(self.server.sockets[0].getsockname()[1])

    async def shut(self) -> None:
        """Stop to accept and close what there is."""
        if self.server is not None:
            self.server.close()
        await self.close_lines()
        tasks = [task for task in asyncio.all_tasks(self.loop) if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def close_lines(self) -> None:
        """Close every connection without a farewell."""
        for line in self.lines:
            for writer in line.writers:
                writer.transport.abort()
        self.lines.clear()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take one connection through."""
        if self.refusing:
            writer.transport.abort()
            return
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        line = Line([writer, back])
        self.lines.append(line)
        await asyncio.gather(self.carry(line, reader, back), self.carry(line, there, writer))

    async def carry(self, line: Line, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one direction until either side closes. A dead line is closed to nobody."""
        with contextlib.suppress(OSError):
            while chunk := await reader.read(CHUNK):
                if self.delay:
                    await asyncio.sleep(self.delay)
                if not line.dead:
                    writer.write(chunk)
                    self.carried += len(chunk)
                    await writer.drain()
        if not line.dead:
            with contextlib.suppress(OSError):
                writer.close()
