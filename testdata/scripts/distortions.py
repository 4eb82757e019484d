"""Writes testdata/golden/distortions.safetensors: extreme distortions by dense methods.

plenoptic.*: LuminanceGainControl of plenoptic on each colour channel of a 12x12 image, and what its
Eigendistortion finds: all eigenvalues and the first eigenvector (method "exact"), in float64.
carried.*: of the first photograph of golden/carried, two networks that the repository carries at their late
stage, in float64, by SciPy: each network's largest singular value of the Jacobian, divided by the length of
the activations; the largest eigenvalue and its eigenvector of the mean of both networks' JtJ, each divided by
its largest eigenvalue; and of the pair of directions that separates both best with a floor of 1e-4 (the
extreme generalised eigenvectors), the standard deviation of the logarithms of the ratios of sensitivities.
"""
import warnings

import numpy as np
import plenoptic as po
import scipy.linalg
import torch
from safetensors.torch import load_file, save_file

import nets

warnings.filterwarnings("ignore")
torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)
SIZE, KERNEL, FLOOR = 12, 7, 1e-4
out = {}


class Channels(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.model = po.models.LuminanceGainControl(KERNEL, pad_mode="circular").double().eval()
        po.remove_grad(self.model)

    def forward(self, x):
        return self.model(x.transpose(0, 1)).transpose(0, 1)


model = Channels()
image = torch.from_numpy(np.random.default_rng(3).uniform(0, 1, (1, 3, SIZE, SIZE)).astype(np.float32)).double()
exact = po.Eigendistortion(image, model)
exact.synthesize("exact")
power = po.Eigendistortion(image, model)
power.synthesize("power", max_iter=300)
values = exact.eigenvalues
print("exact", values[:2], values[-2:], "power", power.eigenvalues)
out["plenoptic.image"] = image[0].permute(1, 2, 0)
out["plenoptic.centre_surround"] = model.model.center_surround.filt[0, 0]
out["plenoptic.luminance"] = model.model.luminance.filt[0, 0]
out["plenoptic.scalar"] = model.model.luminance_scalar.detach()
out["plenoptic.eigenvalues"] = values
out["plenoptic.most"] = exact.eigendistortions[0].reshape(3, SIZE, SIZE).permute(1, 2, 0)

photo = load_file("testdata/golden/carried/images.safetensors")["images"][:1].permute(0, 3, 1, 2).double()
mean = 0
members = []
for name in ["resnet8_48.mm_c10_linf8", "vit_4_96.mm_c10"]:
    torch.set_default_dtype(torch.float32)
    net, stages = nets.carried(name, "models/trained")
    # The network's tensors are in its closure: everything in it becomes float64.
    for cell in net.__closure__:
        if isinstance(cell.cell_contents, dict):
            for k, v in cell.cell_contents.items():
                if torch.is_tensor(v):
                    cell.cell_contents[k] = v.double()
    torch.set_default_dtype(torch.float64)
    layer = stages["late"]
    jacobian = torch.autograd.functional.jacobian(lambda x: net(x)[layer].flatten(), photo)
    jacobian = jacobian.reshape(len(jacobian), 3, 32, 32).permute(0, 2, 3, 1).reshape(len(jacobian), -1).numpy()
    norm = float(net(photo)[layer].norm())
    singular = np.linalg.svd(jacobian, compute_uv=False)
    print(name, layer, jacobian.dtype, jacobian.shape, "largest", singular[0] / norm)
    out["carried.largest." + name] = torch.tensor([singular[0] / norm])
    members.append(jacobian / singular[0])
stacked = np.concatenate(members) / np.sqrt(len(members))
_, s, vt = np.linalg.svd(stacked, full_matrices=False)
out["carried.eigenvalue"], out["carried.most"] = torch.tensor([s[0] ** 2]), torch.from_numpy(vt[0])
# Both networks see nothing but the rows of the two Jacobians: elsewhere both have the floor.
q, _ = np.linalg.qr(np.concatenate(members).T)
a, b = [(m @ q).T @ (m @ q) + FLOOR * np.eye(q.shape[1]) for m in members]
ratios = scipy.linalg.eigh(a, b, eigvals_only=True)
out["carried.spread"] = torch.tensor([np.std([np.log(ratios[-1] / ratios[0]) / 2, 0])])
print("set", s[0] ** 2, s[1] ** 2, "spread", out["carried.spread"])
save_file({k: v.float().contiguous() for k, v in out.items()}, "testdata/golden/distortions.safetensors")
print("torch", torch.__version__, "plenoptic", po.__version__, "scipy", scipy.__version__)
