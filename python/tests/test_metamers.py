"""Tests of the Python module, with the program."""

import signal
import threading

import numpy as np
import pytest

import metamers

MODELS = ["plain7_48.mm_c10_linf8", "resnet8_48.mm_c10_linf8"]
FAST = {"evaluations": 4, "null": "none", "progress": False}


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def run(images, tmp_path_factory):
    return metamers.synthesize(MODELS, images, "late", store=tmp_path_factory.mktemp("runs"), **FAST)


def test_run(run, images):
    assert run.metamers.shape == (3, 32, 32, 3) and run.metamers.dtype == np.float32
    assert 0 <= run.metamers.min() and run.metamers.max() <= 1
    assert np.array_equal(np.round(run.references * 255).astype(np.uint8), images)
    assert [m["name"] for m in run.recipe["models"]] == MODELS
    assert len(run.statistics) == 6 and set(run.statistics["member"]) == set(MODELS)
    # The metamers are nearer to the references than where they began.
    first, last = run.trace[run.trace.step == 0], run.statistics
    assert last["loss"].mean() < first["loss"].mean()
    assert run.passes.tolist() == [False] * 3 and set(run.statistics["verdict"]) == {"not tested"}


def test_stored_run_is_the_same(run, images):
    again = metamers.synthesize(MODELS, images / 255, "late", store=run.path.parent, **FAST)
    assert again.id == run.id and np.array_equal(again.metamers, run.metamers)
    assert np.array_equal(metamers.read_run(run.path).metamers, run.metamers)


def test_evaluate(run):
    rows = metamers.evaluate(run, measures=["recognizability"], observers=["vit_4_96.mm_c10"], resamples=100, progress=False)
    assert rows[["value", "low", "high"]].dtypes.eq("float64").all()
    assert set(rows["name"]) == {"", "000000", "000001", "000002"} and not rows["member"].any()
    assert set(rows["observer"]) == {"vit_4_96.mm_c10", "non-members"}
    assert rows.loc[rows["measure"] == "recognizability", "value"].between(0, 1).all()


@pytest.mark.parametrize(
    "bad, says",
    [
        (np.zeros((2, 3, 32, 32)), "permute"),
        (np.zeros((2, 32, 31, 3)), "square"),
        (np.full((1, 32, 32, 3), 1.5), r"expected finite values in \[0, 1\]"),
        (np.full((1, 32, 32, 3), np.nan), "finite"),
        (np.full((1, 32, 32, 3), 0.5), "as_uint8"),
    ],
)
def test_images_are_checked(bad, says):
    with pytest.raises(ValueError, match=says):
        metamers.synthesize(MODELS, bad, "late")


def test_errors_are_those_of_the_program(images, tmp_path):
    with pytest.raises(metamers.Error, match="resnet8_48.mm_c11"):
        metamers.synthesize("resnet8_48.mm_c11", images, "late", progress=False)
    with pytest.raises(metamers.Error, match="unknown flag --evaluation"):
        metamers.synthesize(MODELS, images, "late", progress=False, evaluation=3)
    with pytest.raises(FileNotFoundError, match="recipe.json"):
        metamers.read_run(tmp_path)


def test_program_is_named(monkeypatch):
    monkeypatch.setenv("METAMERS_PROGRAM", "no-such-program")
    with pytest.raises(FileNotFoundError, match="no-such-program"):
        metamers.program()


def test_interrupt(images, tmp_path, monkeypatch):
    main, real = threading.main_thread().ident, metamers._work.call

    def interrupted(args, progress):
        timer = threading.Timer(1, signal.pthread_kill, (main, signal.SIGINT))
        timer.start()
        try:
            return real(args, progress)
        finally:
            timer.join()

    monkeypatch.setattr(metamers._work, "call", interrupted)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it
    try:
        with pytest.raises(KeyboardInterrupt):
            metamers.synthesize(MODELS, images, "late", evaluations=10**7, store=tmp_path, progress=False)
    finally:
        signal.signal(signal.SIGINT, before)


def test_torch_model(images, tmp_path):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    pytest.importorskip("onnx", reason="onnx is not installed")
    torch.manual_seed(0)
    conv = torch.nn.Conv2d
    net = torch.nn.Sequential(conv(3, 8, 3, 2, 1), torch.nn.ReLU(), conv(8, 16, 3, 2, 1), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(16, 10))
    said = metamers.add_torch_model(net, "mine", 32, mean=(0.5,) * 3, std=(0.25,) * 3, labels="cifar10")
    assert "logits" in said and net.training
    run = metamers.synthesize(["mine", MODELS[1]], images, "late", store=tmp_path, **FAST)
    assert set(run.statistics["member"]) == {"mine", MODELS[1]}
    with pytest.raises(FileExistsError, match="metamers models rm mine"):
        metamers.add_torch_model(net, "mine", 32, mean=(0.5,) * 3, std=(0.25,) * 3)
    wrong = torch.nn.Sequential(conv(3, 8, 3), torch.nn.Flatten(), torch.nn.LazyLinear(10))
    wrong(torch.zeros(1, 3, 32, 32))
    wrong[2].weight.data.fill_(float("nan"))
    with pytest.raises(metamers.Error, match="NaN"):
        metamers.add_torch_model(wrong, "wrong", 32, mean=(0,) * 3, std=(1,) * 3)
