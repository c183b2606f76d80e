"""Torch modules, taken apart by `torch.fx` where they can be; else they only give logits."""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx, nn
from torch.fx.node import map_arg

from satcore.data import CLASSES
from satcore.networks import IMAGE, MOST_WEIGHTS, Network
from satcore.outside.chain import ACCEPTED, Chain, Stage
from satcore.outside.shapes import axes_of, reshaped, squeezed, transposed, unsqueezed

PROBES = 16  # random images on which a module and what was made of it must agree
TOLERANCE = 1e-4  # of the largest logit


def from_module(module: nn.Module) -> nn.Module:
    """What `module`, which maps images (N, 1, 28, 28) in [0, 1] to logits (N, 10), can be made into.

    A `Network` where it can be taken apart (as in `from_onnx_bytes`, by `torch.fx`) and the result has the same logits
    on random images, a softmax at the end left away; else `LogitsOnly`. Either is a copy in the module's dtype, in eval
    mode and without parameter gradients; the module is left as it is. Raises ValueError for what isn't a module, can't
    be copied, or gives something else. Tracing changes `nn.Module` for as long as it takes: not while other threads
    compute.
    """
    if isinstance(module, Network):
        return copy.deepcopy(module).eval().requires_grad_(False)
    whole = LogitsOnly(module.module if isinstance(module, LogitsOnly) else module)
    parameter = next((tensor for tensor in whole.parameters() if tensor.is_floating_point()), torch.zeros(()))
    images = torch.rand(PROBES, *IMAGE, generator=torch.Generator().manual_seed(0))
    images = images * torch.linspace(0, 1, PROBES)[:, None, None, None]  # from black to as bright as can be
    try:
        with torch.no_grad():
            logits = whole(images.to(parameter)).double().cpu()
    except Exception as error:  # a stranger's module may raise anything
        raise ValueError(
            f"expected a module that maps images (N, 1, 28, 28) to logits (N, 10), got {_first_line(error)}"
        ) from error
    try:
        reader = _ModuleReader(whole.module)
        network = _in(parameter.dtype, reader.network(), reader.chain)
    except Exception:  # and so may tracing it, which runs its code
        return whole
    with torch.no_grad():
        found = reader.chain.at_the_end(network(images).double())
    largest = logits.abs().max()
    return network.to(parameter.device) if bool((found - logits).abs().max() <= TOLERANCE * largest) else whole


def _in(dtype: torch.dtype, network: Network, chain: Chain) -> Network:
    """The `network` that the `chain` has become, in the `dtype`; the chain's weights are in float64."""
    network = network.to(dtype)
    if dtype == torch.float64:
        for layer, part in zip(network.layers, chain.parts, strict=True):
            own = {"weight": part.weight, "bias": part.bias}
            layer.load_state_dict({name: torch.tensor(it) for name, it in own.items() if it is not None})
    return network


class LogitsOnly(nn.Module):
    """A copy of a module that only gives logits: for autograd's gradients, Square and transferred attacks.

    In eval mode and without parameter gradients. Raises ValueError for what isn't a module or can't be copied.
    """

    def __init__(self, module: nn.Module):
        super().__init__()
        if not isinstance(module, nn.Module):
            raise ValueError(f"expected a torch module, got a {type(module).__name__}")
        try:
            self.module = copy.deepcopy(module)
        except Exception as error:  # whatever its parts raise
            raise ValueError(f"expected a module that can be copied, got {_first_line(error)}") from error
        self.eval().requires_grad_(False)

    @property
    def dtype(self) -> torch.dtype | None:
        """That of the first parameter in floating point; None where there is none."""
        return next((each.dtype for each in self.parameters() if each.is_floating_point()), None)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, 10) of `images` (N, 1, 28, 28), which are cast to the dtype of the module's weights.

        Raises ValueError for other images, and for another output.
        """
        if images.ndim != 4 or tuple(images.shape[1:]) != IMAGE:
            raise ValueError(f"expected images of shape (N, 1, 28, 28), got {tuple(images.shape)}")
        logits = self.module(images if self.dtype is None else images.to(self.dtype))
        if not isinstance(logits, Tensor) or tuple(logits.shape) != (len(images), CLASSES):
            got = f"shape {tuple(logits.shape)}" if isinstance(logits, Tensor) else f"a {type(logits).__name__}"
            raise ValueError(f"expected logits of shape ({len(images)}, {CLASSES}) from the module, got {got}")
        return logits


class _ModuleReader:
    """Reads a module, node by node, as `torch.fx` traces it. Raises ValueError or TypeError for what it can't read."""

    def __init__(self, module: nn.Module):
        self.module, self.graph = module, fx.symbolic_trace(module).graph
        shape = (1, *IMAGE)
        self.chain, self.stage = Chain(shape, MOST_WEIGHTS), Stage(0, shape)
        self.values: dict[fx.Node, Any] = {}

    def network(self) -> Network:
        """The network that the nodes make up."""
        with np.errstate(all="ignore"):
            for node in self.graph.nodes:
                self.values[node] = self._read(node)
                if node.op == "output" and self.values[node] is not self.stage:
                    raise ValueError("expected the last node's result as the output, got another")
            return self.chain.network()

    def _read(self, node: fx.Node) -> Any:
        args = map_arg(node.args, self.values.__getitem__)
        kwargs = map_arg(node.kwargs, self.values.__getitem__)
        if node.op == "placeholder":
            return self.stage if not self.values else args[0]
        if node.op == "get_attr":
            return _found(self.module, str(node.target))
        if node.op == "output":
            return args[0]
        name = _name(node.target)
        stages = [self.values[other] for other in node.all_input_nodes if isinstance(self.values[other], Stage)]
        if not stages:
            return _run(self.module, node, args, kwargs)
        if name in ASKED:
            return ASKED[name](*args, **kwargs)
        if len(stages) != 1 or stages[0] is not self.stage:
            raise ValueError(f"expected {ACCEPTED}, got a branch at {name}")
        if node.op == "call_module":
            _read_module(self.chain, _found(self.module, str(node.target)))
        elif name in FUNCTIONS:
            FUNCTIONS[name](self.chain, *args, **kwargs)
        else:
            raise ValueError(f"expected {ACCEPTED}, got {name}")
        self.stage = Stage(self.stage.number + 1, self.chain.shape)
        return self.stage


def _found(module: nn.Module, path: str) -> Any:
    """The part of `module` at the `path`."""
    found: Any = module
    for name in path.split("."):
        found = getattr(found, name)
    return found


def _name(target: Any) -> str:
    """That of a function or method, the same for what works in place."""
    name = target if isinstance(target, str) else getattr(target, "__name__", "")
    return name.removesuffix("_")


def _run(module: nn.Module, node: fx.Node, args: Any, kwargs: Any) -> Any:
    """What a node gives that has nothing to do with the images."""
    if node.op == "call_function" and callable(node.target):
        return node.target(*args, **kwargs)
    if node.op == "call_method":
        return getattr(args[0], str(node.target))(*args[1:], **kwargs)
    return _found(module, str(node.target))(*args, **kwargs)


def _numbers(value: Any) -> np.ndarray:
    """A constant, in float64. Raises ValueError for what was computed from the images."""
    if isinstance(value, Tensor):
        return value.detach().cpu().double().numpy()
    if not isinstance(value, int | float):
        raise ValueError(f"expected a constant, got a {type(value).__name__}")
    return np.array(float(value))


def _pair(value: Any) -> tuple[int, int]:
    values = [value] * 2 if isinstance(value, int) else list(value)
    first, second = values * 2 if len(values) == 1 else values
    return int(first), int(second)


def _shape_from(shape: Sequence[Any]) -> list[int]:
    """Of the arguments of view and its like: one sequence, or the sizes themselves."""
    return list(shape[0]) if len(shape) == 1 and not isinstance(shape[0], int) else list(shape)


def _add(chain: Chain, x: Any, y: Any, *, alpha: float = 1) -> None:
    if isinstance(x, Stage):
        chain.elementwise(shift=alpha * _numbers(y))
    else:
        chain.elementwise(alpha, _numbers(x))


def _sub(chain: Chain, x: Any, y: Any, *, alpha: float = 1) -> None:
    if isinstance(x, Stage):
        chain.elementwise(shift=-alpha * _numbers(y))
    else:
        chain.elementwise(-alpha, _numbers(x))


def _mul(chain: Chain, x: Any, y: Any) -> None:
    chain.elementwise(_numbers(y if isinstance(x, Stage) else x))


def _div(chain: Chain, x: Any, y: Any) -> None:
    chain.elementwise(1 / _numbers(y))


def _matmul(chain: Chain, x: Any, y: Any) -> None:
    if isinstance(x, Stage):
        chain.product(_numbers(y))
    else:
        chain.product_from_left(_numbers(x))


def _linear(chain: Chain, x: Stage, weight: Any, bias: Any = None) -> None:
    chain.product(_numbers(weight).T)
    if bias is not None:
        chain.elementwise(shift=_numbers(bias))


def _conv2d(
    chain: Chain,
    x: Stage,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> None:
    kernel = _numbers(weight).shape[2:]
    if _pair(dilation) != (1, 1):
        raise ValueError("expected a convolution without dilation, got another")
    if padding == "same":
        top, left = ((size - 1) // 2 for size in kernel)
        bottom, right = kernel[0] - 1 - top, kernel[1] - 1 - left
    else:
        top, left = bottom, right = _pair(0 if padding == "valid" else padding)
    around = top, left, bottom, right
    chain.convolution(_numbers(weight), None if bias is None else _numbers(bias), _pair(stride), around, groups)


def _max_pool2d(
    chain: Chain,
    x: Stage,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> None:
    if _pair(dilation) != (1, 1) or return_indices:
        raise ValueError("expected pooling without dilation or indices, got another")
    chain.max_pool(_pair(kernel_size), _pair(stride or kernel_size), _pair(padding), ceil_mode)


def _avg_pool2d(
    chain: Chain,
    x: Stage,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> None:
    if _pair(padding) != (0, 0) or divisor_override is not None:
        raise ValueError("expected means without padding, got others")
    chain.average(_pair(kernel_size), _pair(stride or kernel_size), ceil_mode)


def _adaptive_avg_pool2d(chain: Chain, x: Stage, output_size: Any) -> None:
    sides = x.shape[2:]
    left = _pair(output_size)
    if len(sides) != 2 or any(n % m for n, m in zip(sides, left, strict=True)):
        raise ValueError(f"expected means of windows of one size, got {left} of {sides}")
    kernel = sides[0] // left[0], sides[1] // left[1]
    chain.average(kernel, kernel)


def _mean(chain: Chain, x: Stage, dim: Any, keepdim: bool = False) -> None:
    chain.mean(list(dim), keepdim)


def _batch_norm(
    chain: Chain,
    x: Stage,
    running_mean: Any,
    running_var: Any,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> None:
    if training:
        raise ValueError("expected a normalisation as it is after training, got it as in training")
    mean, variance = _numbers(running_mean), _numbers(running_var)
    scale = np.ones_like(mean) if weight is None else _numbers(weight)
    shift = np.zeros_like(mean) if bias is None else _numbers(bias)
    chain.batch_norm(scale, shift, mean, variance, eps)


def _clamp(chain: Chain, x: Stage, min: Any = None, max: Any = None) -> None:
    chain.clip(*(None if bound is None else float(bound) for bound in (min, max)))


def _hardtanh(chain: Chain, x: Stage, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> None:
    chain.clip(min_val, max_val)


def _flatten(chain: Chain, x: Stage, start_dim: int = 0, end_dim: int = -1) -> None:
    start, end = axes_of([start_dim], len(x.shape))[0], axes_of([end_dim], len(x.shape))[0]
    chain.moved(reshaped(chain.places, [*x.shape[:start], -1, *x.shape[end + 1 :]]))


def _view(chain: Chain, x: Stage, *shape: Any) -> None:
    chain.moved(reshaped(chain.places, _shape_from(shape)))


def _permute(chain: Chain, x: Stage, *dims: Any) -> None:
    chain.moved(transposed(chain.places, _shape_from(dims)))


def _transpose(chain: Chain, x: Stage, dim0: int, dim1: int) -> None:
    first, second = axes_of([dim0, dim1], len(x.shape))
    chain.moved(chain.places.swapaxes(first, second))


def _squeeze(chain: Chain, x: Stage, dim: int | None = None) -> None:
    chain.moved(squeezed(chain.places, None if dim is None else [dim]))


def _unsqueeze(chain: Chain, x: Stage, dim: int) -> None:
    chain.moved(unsqueezed(chain.places, [dim]))


def _dropout(chain: Chain, x: Stage, p: float = 0.5, training: bool = True, inplace: bool = False) -> None:
    if training:
        raise ValueError("expected dropout as it is after training, got it as in training")


def _nothing(chain: Chain, x: Stage) -> None:
    """As it is."""


def _pointwise(name: str) -> Callable[..., None]:
    def read(chain: Chain, x: Stage, inplace: bool = False) -> None:
        chain.nonlinearity(name)

    return read


def _softmax(name: str) -> Callable[..., None]:
    def read(chain: Chain, x: Stage, dim: int, _stacklevel: int = 3, dtype: Any = None) -> None:
        chain.leave_away(name, dim)

    return read


def _size(x: Stage, dim: int | None = None) -> Any:
    return x.shape if dim is None else x.shape[dim]


def _attribute(x: Stage, name: str) -> Any:
    return {"shape": x.shape, "ndim": len(x.shape)}[name]


ASKED: dict[str, Callable[..., Any]] = {"size": _size, "getattr": _attribute, "dim": lambda x: len(x.shape)}
FUNCTIONS: dict[str, Callable[..., None]] = {
    "relu": _pointwise("relu"),
    "sigmoid": _pointwise("sigmoid"),
    "tanh": _pointwise("tanh"),
    "relu6": lambda chain, x, inplace=False: chain.clip(0.0, 6.0),
    "hardtanh": _hardtanh,
    **dict.fromkeys(("clamp", "clip"), _clamp),
    **dict.fromkeys(("add", "iadd"), _add),
    **dict.fromkeys(("sub", "isub"), _sub),
    **dict.fromkeys(("mul", "imul"), _mul),
    **dict.fromkeys(("div", "truediv", "itruediv"), _div),
    "neg": lambda chain, x: chain.elementwise(-1.0),
    "matmul": _matmul,
    "linear": _linear,
    "conv2d": _conv2d,
    "batch_norm": _batch_norm,
    "max_pool2d": _max_pool2d,
    "avg_pool2d": _avg_pool2d,
    "adaptive_avg_pool2d": _adaptive_avg_pool2d,
    "mean": _mean,
    "flatten": _flatten,
    **dict.fromkeys(("view", "reshape"), _view),
    "permute": _permute,
    "transpose": _transpose,
    "squeeze": _squeeze,
    "unsqueeze": _unsqueeze,
    **dict.fromkeys(("dropout", "dropout2d"), _dropout),
    **dict.fromkeys(("contiguous", "float", "clone"), _nothing),
    "softmax": _softmax("softmax"),
    "log_softmax": _softmax("log_softmax"),
}


def _read_module(chain: Chain, module: nn.Module) -> None:
    """One of PyTorch's own layers, as the function that it calls."""
    x = Stage(0, chain.shape)
    match module:
        case nn.Linear():
            _linear(chain, x, module.weight, module.bias)
        case nn.Conv2d(padding_mode="zeros"):
            _conv2d(
                chain,
                x,
                module.weight,
                module.bias,
                module.stride,
                module.padding,
                module.dilation,
                module.groups,
            )
        case nn.BatchNorm1d() | nn.BatchNorm2d():
            _batch_norm(chain, x, module.running_mean, module.running_var, module.weight, module.bias, eps=module.eps)
        case nn.ReLU():
            chain.nonlinearity("relu")
        case nn.Sigmoid():
            chain.nonlinearity("sigmoid")
        case nn.Tanh():
            chain.nonlinearity("tanh")
        case nn.Hardtanh():  # ReLU6 is one
            chain.clip(module.min_val, module.max_val)
        case nn.MaxPool2d():
            _max_pool2d(
                chain,
                x,
                module.kernel_size,
                module.stride,
                module.padding,
                module.dilation,
                module.ceil_mode,
                module.return_indices,
            )
        case nn.AvgPool2d():
            _avg_pool2d(
                chain,
                x,
                module.kernel_size,
                module.stride,
                module.padding,
                module.ceil_mode,
                divisor_override=module.divisor_override,
            )
        case nn.AdaptiveAvgPool2d():
            _adaptive_avg_pool2d(chain, x, module.output_size)
        case nn.Flatten():
            _flatten(chain, x, module.start_dim, module.end_dim)
        case nn.Dropout() | nn.Dropout2d() | nn.Identity():
            pass
        case nn.Softmax(dim=int(dim)):
            chain.leave_away("softmax", dim)
        case nn.LogSoftmax(dim=int(dim)):
            chain.leave_away("log_softmax", dim)
        case _:
            raise ValueError(f"expected {ACCEPTED}, got a {type(module).__name__}")


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')[:200]}"
