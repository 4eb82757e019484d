"""Takes PyTorch models along."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from pathlib import Path

import numpy as np

from ._arrays import cache
from ._program import call, flags


def add_torch_model(model, name: str, size: int, *, mean, std, **settings) -> str:
    """Add a PyTorch model, so that it joins model sets by its name.

    The model is exported to ONNX, and its logits of two random images are compared with
    PyTorch's before it is added.

    Args:
        model: A torch.nn.Module that maps [N, 3, size, size] to [N, classes].
        name: Name of the model.
        size: Side length of its images, in pixels.
        mean: Mean of each channel that its training subtracted from pixels in [0, 1]; (0, 0, 0) if none.
        std: Standard deviation of each channel that its training divided by; (1, 1, 1) if none.
        settings: Flags of ``metamers models add``, such as stages="early=/block1/Add,…",
            training="robust" or title="My network".

    Returns:
        What the program says about the model: classes, layers of the stages, checks.

    Raises:
        FileExistsError: A model of this name was added before.
        Error: An operator is not supported, a value is not finite, or logits differ.
    """
    import torch

    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    was, x = model.training, torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    model.eval()
    onnx = None
    try:
        with tempfile.TemporaryDirectory() as folder, torch.no_grad(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Constant folding")  # what is not folded is right, too
            exported, check = Path(folder) / "net.onnx", Path(folder) / "check.npz"
            torch.onnx.export(model, x[:1].to(device), str(exported), dynamo=False)
            onnx = keep(exported, name)
            shape = (3, 1, 1)
            seen = (x - torch.tensor(mean).view(shape)) / torch.tensor(std).view(shape)
            np.savez(check, images=x.numpy(), logits=model(seen.to(device)).cpu().numpy())
            given = {"onnx": onnx, "name": name, "size": size, "mean": list(mean), "std": list(std), "check": check}
            return call(["models", "add", *flags(given | settings)], False)
    except BaseException:
        if onnx is not None:
            onnx.unlink()
        raise
    finally:
        model.train(was)


def keep(exported: Path, name: str) -> Path:
    """Move a file into the cache folder, where the program reads it from now on."""
    path = cache() / "python" / "models" / f"{name}.onnx"
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        raise FileExistsError(f"{path} is there already: choose another name, or remove the model (metamers models rm {name}) and the file")
    shutil.copyfile(exported, path)
    return path
