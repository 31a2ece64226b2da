"""Files that `torch.save` wrote, read without running anything in them.

A pickle runs what it says when it is opened. Here a global never becomes the real thing but for two kinds of
plain container; every other name becomes an inert placeholder, so the authors' own training classes load as
empty shells, and a file that wants to *call* something unknown is refused. Tensors are described while the
pickle is read and filled from the file afterwards. `torch.load` has no part in it: it would run TorchScript.
"""

import io
import pickle
import sys
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, NoReturn

import torch
from torch import Tensor

from aiatrack.errors import WeightsError

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
"""First pickle of a file from before PyTorch 1.6, which is no archive."""

_STORAGE_TYPES = {
    ("torch", "DoubleStorage"): torch.float64,
    ("torch", "FloatStorage"): torch.float32,
    ("torch", "HalfStorage"): torch.float16,
    ("torch", "BFloat16Storage"): torch.bfloat16,
    ("torch", "LongStorage"): torch.int64,
    ("torch", "IntStorage"): torch.int32,
    ("torch", "ShortStorage"): torch.int16,
    ("torch", "CharStorage"): torch.int8,
    ("torch", "ByteStorage"): torch.uint8,
    ("torch", "BoolStorage"): torch.bool,
}

_HARMLESS_DATA = {
    ("copyreg", "_reconstructor"),
    ("builtins", "object"),
    ("builtins", "set"),
    ("builtins", "frozenset"),
    ("builtins", "complex"),
    ("builtins", "slice"),
    ("builtins", "range"),
    ("pathlib", "PosixPath"),
    ("pathlib", "WindowsPath"),
    ("pathlib", "PurePosixPath"),
    ("datetime", "datetime"),
    ("datetime", "timedelta"),
    ("collections", "defaultdict"),
    ("argparse", "Namespace"),
    ("_codecs", "encode"),
    ("numpy.core.multiarray", "scalar"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "scalar"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    ("torch", "device"),
    ("torch", "dtype"),
    ("easydict", "EasyDict"),
}
"""Constructors of plain data that training settings and statistics are made of: callable, and still inert."""

_PYTHON_2_MODULES = {"__builtin__": "builtins", "copy_reg": "copyreg"}
"""As `torch.save` writes them, whose pickles Python 2 could read."""


class _Storage(NamedTuple):
    """Numbers somewhere in the file."""

    key: str
    dtype: torch.dtype
    numbers: int


class _StoredTensor(NamedTuple):
    """A view of a storage: all that a pickle says of a tensor."""

    storage: _Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


class _Constructor:
    """A function that a pickle may call. It has no attribute that the pickle could replace."""

    __slots__ = ("_build",)

    def __init__(self, build: Callable[..., Any]) -> None:
        self._build = build

    def __call__(self, *args: Any) -> Any:
        return self._build(*args)

    def __setstate__(self, state: Any) -> NoReturn:
        """Refuse the state that a pickle wants to give it."""
        raise WeightsError("refused: this checkpoint wants to change a function; nothing was executed")


def _describe_tensor(storage: Any, offset: int, size: Any, stride: Any, *_: Any) -> _StoredTensor:
    if not isinstance(storage, _Storage):
        raise WeightsError("a tensor in this checkpoint has no storage")
    return _StoredTensor(storage, offset, tuple(size), tuple(stride))


def _describe_parameter(data: Any, *_: Any) -> Any:
    return data


_TRUSTED: dict[tuple[str, str], Any] = {
    # Classes written in C: a pickle cannot set their attributes.
    ("collections", "OrderedDict"): OrderedDict,
    ("torch", "Size"): torch.Size,
    ("torch._utils", "_rebuild_tensor_v2"): _Constructor(_describe_tensor),
    ("torch._utils", "_rebuild_parameter"): _Constructor(_describe_parameter),
    **_STORAGE_TYPES,
}


class _InertType(type):
    """Metaclass of placeholders: instances can be unpickled, a call is refused unless it only builds data."""

    callable_as_data: bool

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if not cls.callable_as_data:
            raise WeightsError(
                f"refused: this checkpoint wants to call {cls.__module__}.{cls.__name__}, which is not part "
                "of any published checkpoint; nothing was executed"
            )
        return cls.__new__(cls)  # type: ignore[call-overload]


class _Inert(metaclass=_InertType):
    """Stands in for an object of an unknown class; accepts everything, does nothing."""

    callable_as_data = False

    def __new__(cls, *args: Any, **kwargs: Any) -> "_Inert":
        return object.__new__(cls)

    def __setstate__(self, state: Any) -> None:
        """Ignore the state."""

    def __setitem__(self, key: Any, value: Any) -> None:
        """Ignore an item of a dict-like class."""

    def append(self, item: Any) -> None:
        """Ignore an item of a list-like class."""

    def extend(self, items: Any) -> None:
        """Ignore items of a list-like class."""

    def __hash__(self) -> int:
        return id(self)


class _InertUnpickler(pickle.Unpickler):
    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        """Resolve the trusted names; everything else becomes a placeholder, and nothing is imported."""
        module = _PYTHON_2_MODULES.get(module, module)
        if (module, name) in _TRUSTED:
            return _TRUSTED[module, name]
        harmless = (module, name) in _HARMLESS_DATA
        if not harmless and module.partition(".")[0] in sys.stdlib_module_names:
            raise WeightsError(
                f"refused: this checkpoint refers to {module}.{name}, which is not part of any published "
                "checkpoint; nothing was executed"
            )
        return _InertType(name, (_Inert,), {"callable_as_data": harmless, "__module__": module})

    def persistent_load(self, saved_id: Any) -> Any:
        """Describe a storage; a module is its (inert) class."""
        kind, content, *rest = saved_id
        if kind == "module":
            return content
        key, _device, count, *view = rest
        if (
            kind != "storage"
            or not isinstance(content, torch.dtype)
            or any(part is not None for part in view)
        ):
            raise WeightsError(f"this checkpoint holds numbers of an unknown kind: {saved_id!r:.100}")
        return self.storages.setdefault(str(key), _Storage(str(key), content, count))


def read_state_dict(path: Path, *entries: str) -> dict[str, Tensor]:
    """Read a state dict out of a dict that `torch.save` wrote, in its present or its legacy format.

    Args:
        path: of the file.
        entries: keys of which the first that is there holds the state dict; without any of them the whole
            file may be one. Nothing else is loaded.

    Raises:
        WeightsError: the file is damaged or hostile, or has no state dict; nothing inside was executed.
    """
    try:
        with path.open("rb") as file:
            read = _read_archive if zipfile.is_zipfile(file) else _read_legacy
            file.seek(0)
            return read(file, entries)
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from error
    except Exception as error:  # a damaged pickle can raise anything at all
        raise WeightsError(
            f"{path} is not a readable PyTorch checkpoint: {type(error).__name__}: {error}"
        ) from error


def _read_archive(file: BinaryIO, entries: Sequence[str]) -> dict[str, Tensor]:
    with zipfile.ZipFile(file) as archive:
        pickles = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise WeightsError(f"expected one data.pkl in the archive, got {len(pickles)}")
        folder = pickles[0].removesuffix("data.pkl")
        if f"{folder}byteorder" in archive.namelist() and archive.read(f"{folder}byteorder") != b"little":
            raise WeightsError("written on a big-endian machine: save it again on a little-endian one")
        contents = _InertUnpickler(io.BytesIO(_read_member(archive, pickles[0]))).load()
        tensors = _select_tensors(contents, entries)
        storages = {tensor.storage for tensor in tensors.values()}
        numbers = {s.key: _load_storage(s, _read_member(archive, f"{folder}data/{s.key}")) for s in storages}
        return _view_all(tensors, numbers)


def _read_member(archive: zipfile.ZipFile, name: str) -> bytes:
    # PyTorch stores and never compresses; a compressed member could unpack to more than memory holds.
    if archive.getinfo(name).compress_type != zipfile.ZIP_STORED:
        raise WeightsError(f"{name} is compressed, which PyTorch never does")
    return archive.read(name)


def _read_legacy(file: BinaryIO, entries: Sequence[str]) -> dict[str, Tensor]:
    if _InertUnpickler(file).load() != _LEGACY_MAGIC:
        raise WeightsError("this is not a file of torch.save")
    _version, _machine = (_InertUnpickler(file).load() for _ in range(2))
    unpickler = _InertUnpickler(file)
    tensors = _select_tensors(unpickler.load(), entries)
    needed = {tensor.storage.key for tensor in tensors.values()}
    numbers: dict[str, Tensor] = {}
    for key in _InertUnpickler(file).load():
        storage = unpickler.storages[key]
        file.seek(8, io.SEEK_CUR)  # how many numbers, which the pickle has already said
        if key in needed:
            numbers[key] = _load_storage(storage, file.read(storage.numbers * storage.dtype.itemsize))
        else:
            file.seek(storage.numbers * storage.dtype.itemsize, io.SEEK_CUR)
    end = file.tell()
    if end > file.seek(0, io.SEEK_END):  # one may seek beyond the end
        raise WeightsError(f"the file is cut short: expected {end} bytes, got {file.tell()}")
    return _view_all(tensors, numbers)


def _select_tensors(contents: Any, entries: Sequence[str]) -> dict[str, _StoredTensor]:
    # `dict.items`, since a pickle may have hidden an ordered dict's own methods behind attributes.
    found = dict(dict.items(contents)) if isinstance(contents, dict) else {}
    if _is_state_dict(found):
        return found
    for entry in entries:
        state = found.get(entry)
        if isinstance(state, dict) and state:
            tensors = dict(dict.items(state))
            if not _is_state_dict(tensors):
                raise WeightsError(f"the network under {entry!r} is not a state dict of tensors")
            return tensors
    got = f"a dict with {', '.join(map(repr, found)):.200}" if found else f"{type(contents).__name__}"
    raise WeightsError(
        f"holds no network: expected a dict with the state dict under {' or '.join(map(repr, entries))}, "
        f"got {got}"
    )


def _is_state_dict(found: dict[Any, Any]) -> bool:
    are_tensors = all(isinstance(n, str) and isinstance(t, _StoredTensor) for n, t in found.items())
    return are_tensors and bool(found)


def _load_storage(storage: _Storage, raw: bytes) -> Tensor:
    expected = storage.numbers * storage.dtype.itemsize
    if len(raw) != expected:
        raise WeightsError(f"the file is cut short: expected {expected} bytes of numbers, got {len(raw)}")
    return (
        torch.frombuffer(bytearray(raw), dtype=storage.dtype) if raw else torch.empty(0, dtype=storage.dtype)
    )


def _view_all(tensors: dict[str, _StoredTensor], numbers: dict[str, Tensor]) -> dict[str, Tensor]:
    # PyTorch refuses a view that would leave its storage.
    return {
        name: numbers[tensor.storage.key].as_strided(tensor.size, tensor.stride, tensor.offset)
        for name, tensor in tensors.items()
    }
