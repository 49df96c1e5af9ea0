"""Values as binary files.

The class is here because the stable ABI lets no compiled class derive from ``io.RawIOBase``. Invariant: it holds no more
of the value than it was asked for.
"""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

from . import prollytree as _native

if TYPE_CHECKING:
    from typing_extensions import Buffer


class ValueStream(io.RawIOBase):
    """A value as a binary file, to read from any position. It is read as it is asked for, in bounded memory.

    It shows what the key held when it was opened, whatever happens to the store afterwards. ``read``, ``readinto``,
    ``seek``, ``tell``, iteration over lines and everything else of ``io.RawIOBase``; what writes raises
    ``io.UnsupportedOperation``. ``len()`` is the value's length in bytes.

    Reading raises CorruptionError when what is stored is damaged, and StorageError when the storage fails.
    """

    def __init__(self, reader: _native._ValueReader, /) -> None:
        super().__init__()
        self._reader = reader

    def _open_reader(self) -> _native._ValueReader:
        if self.closed:
            raise ValueError("I/O operation on closed file.")
        return self._reader

    def __len__(self) -> int:
        return len(self._reader)

    def readable(self) -> bool:
        self._open_reader()
        return True

    def seekable(self) -> bool:
        self._open_reader()
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """At most ``size`` bytes, fewer only at the end; all that is left when it is negative or ``None``."""
        reader = self._open_reader()
        return reader.read(sys.maxsize if size is None or size < 0 else size)

    def readall(self) -> bytes:
        """All bytes from the position to the end."""
        return self.read()

    def readinto(self, buffer: Buffer, /) -> int:
        """Fills a writable buffer; the number of bytes, fewer than it holds only at the end."""
        view = memoryview(buffer).cast("B")
        read = self._open_reader().read(len(view))
        view[: len(read)] = read
        return len(read)

    def write(self, buffer: Buffer, /) -> int:
        """Raises ``io.UnsupportedOperation``: a value is written with ``insert_stream``."""
        raise io.UnsupportedOperation("write")

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Moves the position to ``offset`` bytes from the start (0), the position (1) or the end (2); the new one."""
        return self._open_reader().seek(offset, whence)

    def tell(self) -> int:
        """The position, in bytes from the start."""
        return self._open_reader().seek(0, io.SEEK_CUR)

    def __repr__(self) -> str:
        return f"<ValueStream of {len(self)} bytes{', closed' if self.closed else ''}>"


ValueStream.__module__ = "prollytree"
