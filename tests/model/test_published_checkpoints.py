"""The authors' checkpoints: read whole, custom classes included; hostile ones refused, nothing executed."""

import io
import pickle
import pickletools
import struct
import sys
import types
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from parity_recording import published_rows

from aiatrack.config import load_preset
from aiatrack.errors import WeightsError
from aiatrack.model import build_network, load_state, read_published_checkpoint
from aiatrack.model.inert_pickle import read_state_dict
from aiatrack.model.published import rename_published

FORMATS = {"archive": True, "legacy": False}


@pytest.fixture(params=FORMATS.values(), ids=FORMATS)
def as_archive(request) -> bool:
    return request.param


@pytest.fixture
def authors_classes():
    """Training classes as the authors' files hold, gone before the file is read."""
    module = types.ModuleType("lib.train.admin")
    for name in ("Settings", "StatValue", "Environment"):
        setattr(module, name, type(name, (), {"__module__": "lib.train.admin"}))
    module.History = type("History", (list,), {"__module__": "lib.train.admin"})
    module.Table = type("Table", (dict,), {"__module__": "lib.train.admin"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "lib", types.ModuleType("lib"))
        patch.setitem(sys.modules, "lib.train", types.ModuleType("lib.train"))
        patch.setitem(sys.modules, "lib.train.admin", module)
        yield module


def forget_authors_classes() -> None:
    for name in ("lib.train.admin", "lib.train", "lib"):
        del sys.modules[name]


def small_state() -> OrderedDict:
    """A few published names, with tensors of several kinds and a shared storage."""
    torch.manual_seed(0)
    shared = torch.randn(6, 4)
    return OrderedDict(
        {
            "backbone.0.body.conv1.weight": torch.randn(4, 3, 7, 7),
            "bottleneck.weight": shared[:3],
            "bottleneck.bias": shared[3:, 1],
            "foreground_embed.weight": torch.nn.Parameter(torch.randn(1, 8)),
            "background_embed.weight": torch.randn(1, 8).half(),
            "transformer.encoder.layers.1.self_attn.in_proj_weight": torch.arange(24.0).view(6, 4),
            "iou_head.fc.bn.num_batches_tracked": torch.tensor(7),
        }
    )


def save_checkpoint(path: Path, authors, net, as_archive: bool) -> None:
    """The structure that a published checkpoint has."""
    settings, value = authors.Settings(), authors.StatValue()
    settings.env, settings.path = authors.Environment(), Path("checkpoints")
    settings.batch_size, settings.device = 15, torch.device("cuda:0")
    value.history, value.mean = authors.History([1.0, np.float64(2.5)]), np.arange(3.0)
    table = authors.Table(loss=value)
    momentum = {0: {"step": 5, "exp_avg": torch.randn(5, 5)}}
    torch.save(
        {
            "epoch": 500,
            "actor_type": "AIATRACKActor",
            "net_type": "AIATRACK",
            "optimizer": {"state": momentum, "param_groups": [{"lr": 1e-4, "betas": (0.9, 0.999)}]},
            "net": net,
            "net_info": None,
            "constructor": None,
            "stats": OrderedDict(train=table, empty={1, 2}),
            "settings": settings,
        },
        path,
        _use_new_zipfile_serialization=as_archive,
    )


@pytest.fixture
def checkpoint(tmp_path, authors_classes, as_archive) -> Path:
    path = tmp_path / "AIATRACK_ep0500.pth.tar"
    save_checkpoint(path, authors_classes, small_state(), as_archive)
    forget_authors_classes()
    with pytest.raises(Exception, match=r"weights_only|lib"):
        torch.load(path, weights_only=True)  # as strict as PyTorch: refused
    return path


def test_tensors_come_out_as_they_went_in(checkpoint):
    state = read_state_dict(checkpoint, "net")
    expected = small_state()
    assert list(state) == list(expected)
    for name, tensor in expected.items():
        assert state[name].dtype == tensor.dtype and torch.equal(state[name], tensor.detach()), name
        assert not state[name].requires_grad
    assert "lib.train.admin" not in sys.modules


def test_names_become_ours(checkpoint):
    state = read_published_checkpoint(checkpoint)
    theirs = small_state()
    assert torch.equal(state["target_embedding"], theirs["foreground_embed.weight"].detach()[0])
    assert state["background_embedding"].shape == (8,)
    packed = theirs["transformer.encoder.layers.1.self_attn.in_proj_weight"]
    for i, part in enumerate(("query", "key", "value")):
        assert torch.equal(state[f"encoder.1.attention.{part}.weight"], packed[2 * i : 2 * i + 2])
    assert state["iou_head.hidden_norm.num_batches_tracked"] == 7
    assert "backbone.conv1.weight" in state and "bottleneck.bias" in state


def test_a_whole_checkpoint_loads_into_base(tmp_path, authors_classes):
    # Every element of a tensor is the same number, which the file then holds once.
    net = OrderedDict(
        (name, torch.full((1,) * len(shape), i / 423).to(getattr(torch, kind)).expand(shape))
        for i, (name, shape, kind) in enumerate(published_rows())
    )
    path = tmp_path / "whole.pth.tar"
    save_checkpoint(path, authors_classes, net, as_archive=True)
    forget_authors_classes()
    state = read_published_checkpoint(path)
    network = build_network(load_preset("base").network)
    load_state(network, state, origin=str(path))
    loaded = network.state_dict()
    assert sum(t.numel() for t in loaded.values()) == sum(t.numel() for t in net.values())
    for name, tensor in net.items():
        for ours in rename_published({name: tensor}):
            assert torch.all(loaded[ours] == tensor.flatten()[0]), f"{name} -> {ours}"


@pytest.mark.parametrize("keep", [0.0, 0.01, 0.3, 0.7, 0.99])
def test_a_truncated_checkpoint_is_refused(checkpoint, keep):
    whole = checkpoint.read_bytes()
    checkpoint.write_bytes(whole[: int(len(whole) * keep)])
    with pytest.raises(WeightsError, match="AIATRACK_ep0500"):
        read_published_checkpoint(checkpoint)


def test_a_missing_checkpoint_is_named(tmp_path):
    with pytest.raises(WeightsError, match=r"no checkpoint .*nothing\.pth"):
        read_published_checkpoint(tmp_path / "nothing.pth")


@pytest.mark.parametrize(
    "content", [b"", b"not a pickle", b"PK\x03\x04", pickle.dumps(3), b"\x80\x02.", b"\x00" * 600]
)
def test_a_foreign_file_is_refused(tmp_path, content):
    path = tmp_path / "foreign.pth"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"foreign\.pth"):
        read_published_checkpoint(path)


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ([1, 2], r"holds no network: .*'net' or 'state_dict' or 'model', got list"),
        ({"epoch": 3, "weights": {}}, r"holds no network: .*got a dict with 'epoch', 'weights'"),
        ({"state_dict": {}}, "holds no network"),
        ({"net": {}}, "holds no network"),
        ({"net": None}, "holds no network"),
        ({"net": [torch.zeros(1)]}, "holds no network"),
        ({"net": {"a": 1}}, "not a state dict of tensors"),
        ({"net": {3: torch.zeros(1)}}, "not a state dict of tensors"),
        ({"net": {"x.in_proj_bias": torch.zeros(4)}}, "rows in threes"),
        ({"net": {"x.in_proj_bias": torch.tensor(4.0)}}, "rows in threes"),
    ],
)
def test_a_file_without_such_a_network_is_refused(tmp_path, contents, message, as_archive):
    path = tmp_path / "other.pth"
    torch.save(contents, path, _use_new_zipfile_serialization=as_archive)
    with pytest.raises(WeightsError, match=message):
        read_published_checkpoint(path)


@pytest.mark.parametrize("prefix", ["", "module.", "model."])
@pytest.mark.parametrize("entry", ["net", "state_dict", "model", None])
def test_other_trainers_checkpoints_hold_the_same_network(tmp_path, as_archive, entry, prefix):
    net = OrderedDict((prefix + name, tensor) for name, tensor in small_state().items())
    path = tmp_path / "theirs.ckpt"
    contents = net if entry is None else {"epoch": 3, entry: net}
    torch.save(contents, path, _use_new_zipfile_serialization=as_archive)
    expected, state = rename_published(small_state()), read_published_checkpoint(path)
    assert list(state) == list(expected)
    assert all(torch.equal(state[name], tensor.detach()) for name, tensor in expected.items())


def test_weights_of_another_network_do_not_fit(tmp_path, as_archive):
    path = tmp_path / "small.pth"
    torch.save({"net": small_state()}, path, _use_new_zipfile_serialization=as_archive)
    network = build_network(load_preset("base").network)
    with pytest.raises(WeightsError, match="do not fit this network"):
        load_state(network, read_published_checkpoint(path), origin=str(path))


class Calls:
    """Pickles as a call of a function."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


def _short(text: str) -> bytes:
    raw = text.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def _by_hand(opcodes: bytes) -> bytes:
    """A pickle that the standard library accepts as well formed."""
    whole = b"\x80\x02" + opcodes + b"."
    list(pickletools.genops(whole))
    return whole


def hostile_pickles(trace: Path) -> dict[str, bytes]:
    """Pickles that would create `trace` where a usual unpickler reads them, or that try other mischief."""
    import importlib
    import os
    import runpy
    import subprocess

    command, code = f"touch '{trace}'", f"open({str(trace)!r}, 'w')"
    line = command.encode()

    def calls(function, *args) -> bytes:
        return pickle.dumps({"net": Calls(function, *args)}, protocol=2)

    def call_by_name(module: str, name: str, *args: str, protocol: int = 4) -> bytes:
        frame = b"\x80" + bytes([protocol]) + _short(module) + _short(name) + b"\x93"
        return frame + b"(" + b"".join(map(_short, args)) + b"tR."

    return {
        "os.system": calls(os.system, command),
        "posix.system": _by_hand(b"cposix\nsystem\n(" + _short(command) + b"tR"),
        "builtins.eval": calls(eval, code),
        "builtins.exec": calls(exec, code),
        "py2 names": _by_hand(b"c__builtin__\neval\n(" + _short(code) + b"tR"),
        "subprocess.Popen": calls(subprocess.Popen, ["touch", str(trace)]),
        "open": calls(open, str(trace), "w"),
        "importlib": calls(importlib.import_module, "antigravity"),
        "runpy": calls(runpy.run_path, str(trace)),
        "getattr": _by_hand(
            b"cbuiltins\ngetattr\n(cos\npath\n" + _short("os") + b"tR(" + _short(command) + b"tR"
        ),
        "dotted": call_by_name("torch", "os.system", command),
        "dotted trusted": call_by_name("collections", "OrderedDict.fromkeys", "ab"),
        "dotted storage": call_by_name("torch", "FloatStorage.from_file", str(trace)),
        "dotted function": call_by_name("torch._utils", "_rebuild_tensor_v2.__globals__", "x"),
        "torch.hub": call_by_name("torch.hub", "load", str(trace), "x"),
        "torch.load": call_by_name("torch.serialization", "load", str(trace)),
        "numpy runstring": call_by_name("numpy.testing._private.utils", "runstring", code, "x"),
        "numpy.load": call_by_name("numpy", "load", str(trace)),
        "timeit": call_by_name("timeit", "timeit", code),
        "unknown class": call_by_name("lib.evil", "Payload", "x"),
        "INST": _by_hand(b"(S'" + line.replace(b"'", b"\\'") + b"'\nios\nsystem\n"),
        "OBJ": _by_hand(b"(cos\nsystem\n" + _short(command) + b"o"),
        "OBJ unknown": _by_hand(b"(clib.evil\nPayload\n" + _short(command) + b"o"),
        "NEWOBJ": _by_hand(b"csubprocess\nPopen\n(" + _short(command) + b"t\x81"),
        "BUILD on a function": _by_hand(
            b"ctorch._utils\n_rebuild_tensor_v2\n}" + _short("__defaults__") + b"Ns" + b"b"
        ),
        "BUILD slots on a function": _by_hand(
            b"ctorch._utils\n_rebuild_tensor_v2\nN}" + _short("__code__") + b"Ns" + b"\x86b"
        ),
        "BUILD slots on a class": _by_hand(
            b"ccollections\nOrderedDict\nN}" + _short("get") + b"Ns" + b"\x86b"
        ),
        "BUILD slots on a storage": _by_hand(
            b"ctorch\nFloatStorage\nN}" + _short("from_buffer") + b"Ns" + b"\x86b"
        ),
        "call of an instance": _by_hand(b"clib.evil\nPayload\n)\x81(" + _short(command) + b"tR"),
        "extension registry": _by_hand(b"\x82\x01"),
        "memo bomb": _by_hand(b"Nr" + struct.pack("<I", 2**31)),
        "endless frame": b"\x80\x04\x95" + struct.pack("<Q", 2**62) + b"N.",
    }


NAMES = list(hostile_pickles(Path("/nowhere")))


def write_hostile(path: Path, payload: bytes, container: str) -> None:
    if container == "archive":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", payload)
    elif container == "legacy":
        opening = [pickle.dumps(part, protocol=2) for part in (0x1950A86A20F9469CFC6C, 1001, {})]
        path.write_bytes(b"".join(opening) + payload + pickle.dumps([], protocol=2))
    else:
        path.write_bytes(payload)


@pytest.mark.parametrize("container", ["archive", "legacy", "bare"])
@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_checkpoint_executes_nothing(name, container, tmp_path):
    trace = tmp_path / "executed"
    path = tmp_path / "hostile.pth"
    write_hostile(path, hostile_pickles(trace)[name], container)
    modules = set(sys.modules)
    with pytest.raises(WeightsError, match=r"hostile\.pth") as caught:
        read_published_checkpoint(path)
    assert not trace.exists()
    assert not {"antigravity", "lib.evil"} & (set(sys.modules) - modules)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    "name", ["os.system", "builtins.eval", "builtins.exec", "open", "OBJ", "INST", "posix.system"]
)
def test_the_hostile_pickles_are_hostile(name, tmp_path):
    """What is refused above does its deed in an ordinary unpickler: the tests can fail."""
    trace = tmp_path / "executed"
    pickle.loads(hostile_pickles(trace)[name])  # noqa: S301 - on purpose
    assert trace.exists()


def test_refusals_say_what_was_refused(tmp_path):
    for name, message in {
        "os.system": r"refused: .*(posix|nt)\.system.*nothing was executed",
        "torch.hub": r"refused: .*torch\.hub\.load.*nothing was executed",
        "BUILD on a function": r"refused: .*change a function.*nothing was executed",
    }.items():
        path = tmp_path / "hostile.pth"
        write_hostile(path, hostile_pickles(tmp_path / "executed")[name], "archive")
        with pytest.raises(WeightsError, match=message):
            read_published_checkpoint(path)


def test_trusted_things_are_as_they_were(tmp_path):
    """State that a pickle gives to what it trusts does not outlive the reading of it."""
    rebuild, storage = torch._utils._rebuild_tensor_v2, torch.FloatStorage
    before = (rebuild.__defaults__, rebuild.__code__, dict(vars(storage)), OrderedDict.get)
    for name in NAMES:
        path = tmp_path / "hostile.pth"
        write_hostile(path, hostile_pickles(tmp_path / "executed")[name], "archive")
        with pytest.raises(WeightsError):
            read_published_checkpoint(path)
    assert before == (rebuild.__defaults__, rebuild.__code__, dict(vars(storage)), OrderedDict.get)
    path = tmp_path / "good.pth"
    torch.save({"net": small_state()}, path)
    assert len(read_state_dict(path, "net")) == len(small_state())


def test_inert_objects_beside_the_network_do_no_harm(tmp_path):
    """Unknown classes with state, items and lists of their own are passed over."""
    beside = _by_hand(
        b"}(" + _short("net") + b"}" + _short("w") + b"K\x01s" + _short("x")
        + b"clib.evil\nPayload\n)\x81}" + _short("command") + _short("touch") + b"sb"
        + b"u"
    )  # fmt: skip
    path = tmp_path / "beside.pth"
    write_hostile(path, beside, "archive")
    with pytest.raises(WeightsError, match="not a state dict of tensors"):
        read_published_checkpoint(path)


def test_hidden_methods_of_an_ordered_dict_are_not_called(tmp_path):
    payload = _by_hand(
        b"ccollections\nOrderedDict\n)R" + _short("net") + b"}" + _short("w") + b"K\x01ss"
        + b"}(" + _short("get") + b"clib.evil\nPayload\n" + _short("items") + b"clib.evil\nPayload\nub"
    )  # fmt: skip
    path = tmp_path / "hidden.pth"
    write_hostile(path, payload, "archive")
    with pytest.raises(WeightsError, match="not a state dict of tensors"):
        read_published_checkpoint(path)


def test_torchscript_is_not_run(tmp_path):
    """`torch.load` would hand such an archive to TorchScript, whose `__setstate__` runs when it is loaded."""
    path = tmp_path / "script.pth"
    buffer = io.BytesIO()
    torch.save({"net": {"weight": torch.zeros(2)}}, buffer)
    with zipfile.ZipFile(buffer) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            target.writestr(name, source.read(name))
        folder = source.namelist()[0].partition("/")[0]
        target.writestr(f"{folder}/constants.pkl", pickle.dumps(()))
        target.writestr(f"{folder}/code/__torch__.py", "import nothing")
    assert torch.equal(read_state_dict(path, "net")["weight"], torch.zeros(2))


def _rewrite(path: Path, change) -> None:
    """Pass every member of an archive through `change(name, content)`."""
    with zipfile.ZipFile(path) as source:
        members = {name: source.read(name) for name in source.namelist()}
    with zipfile.ZipFile(path, "w") as target:
        for name, content in members.items():
            changed = change(name, content)
            if changed is not None:
                target.writestr(name, changed)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda name, content: content[:-4] if "/data/0" in name else content, "cut short"),
        (lambda name, content: None if "/data/0" in name else content, "not a readable"),
        (lambda name, content: b"big" if name.endswith("byteorder") else content, "big-endian"),
        (lambda name, content: None if name.endswith("data.pkl") else content, "expected one data.pkl"),
    ],
)
def test_archives_that_are_not_whole_are_refused(tmp_path, change, message):
    path = tmp_path / "broken.pth"
    torch.save({"net": {"weight": torch.arange(4.0)}}, path)
    _rewrite(path, change)
    with pytest.raises(WeightsError, match=message):
        read_published_checkpoint(path)


def test_compressed_members_are_refused(tmp_path):
    path = tmp_path / "bomb.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"net": "x" * 10**6}))
    with pytest.raises(WeightsError, match="compressed"):
        read_published_checkpoint(path)


@pytest.mark.parametrize("size", [(10**12,), (3, 3)])
def test_views_beyond_their_storage_are_refused(tmp_path, size, monkeypatch):
    class Lying:
        def __reduce__(self):
            tensor = torch.zeros(4)
            return torch._utils._rebuild_tensor_v2, (
                tensor.untyped_storage() and torch.storage.TypedStorage(
                    wrap_storage=tensor.untyped_storage(), dtype=torch.float32, _internal=True
                ),
                0, size, (1,) * len(size) if size == (10**12,) else (3, 1), False, OrderedDict(),
            )  # fmt: skip

    path = tmp_path / "lying.pth"
    torch.save({"net": {"weight": Lying()}}, path)
    with pytest.raises(WeightsError, match="not a readable PyTorch checkpoint"):
        read_published_checkpoint(path)
