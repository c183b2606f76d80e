"""L-BFGS-B (Byrd, Lu, Nocedal & Zhu 1995; version 3.0 of Morales & Nocedal 2011) on many problems at once, bounds [0, 1].

Each problem has a memory, a Cauchy point, a subspace minimisation and a line search of its own, and goes through the iterates that
scipy's takes it through, to rounding. B = θI − W M Wᵀ approximates the Hessian; W's columns are the last changes of gradient and point.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields

import torch
from torch import Tensor

MEMORY = 10
BREAKPOINTS = 48  # of the Cauchy path that are looked at before all of them are
DECREASE, CURVATURE, NARROW, EVALUATIONS = 1e-3, 0.9, 0.1, 20  # of the line search: scipy's ftol, gtol, xtol, maxls
EPS = torch.finfo(torch.float64).eps
Function = Callable[[Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]


@dataclass(frozen=True)
class Iterate:
    """Where N problems of n variables stand after `iteration` iterations.

    points      (N, n) float64 in [0, 1]
    values      (N,), and gradients (N, n), there
    running     (N,) bool
    iterations  (N,) int64: taken by each
    """

    iteration: int
    points: Tensor
    values: Tensor
    gradients: Tensor
    running: Tensor
    iterations: Tensor


def minimise(function: Function, start: Tensor, steps: int) -> Iterator[Iterate]:
    """Minimise N problems at once from `start` (N, n) float64, in at most `steps` iterations each.

    `function(points (k, n), index (k,))` gives values (k,), gradients (k, n) and whether (k,) the caller is content, of the
    problems at `index`. A problem also ends where its projected gradient is exactly zero, and where an iteration lowers its
    value no more.
    """
    points = start.clamp(0, 1)
    index = torch.arange(len(points), device=points.device)
    values, gradients, content = function(points, index)
    iterations, nobody = torch.zeros_like(index), torch.zeros_like(content)
    index = (~content & _can_move(points, gradients)).nonzero().flatten()
    yield Iterate(0, points, values, gradients, nobody.index_fill(0, index, True), iterations)
    x, f, g = points[index], values[index], gradients[index]
    memory = _Memory.empty(x)
    for iteration in range(1, steps + 1):
        if not len(index):
            return
        found = _search(function, index, x, f, g, memory.minimum(x, g), first=iteration == 1)
        memory, empty = memory.updated(found.x - x, found.g - g, g, found.failed), memory.is_empty
        stop = torch.where(found.failed, empty, found.content | ~(found.f < f) | ~_can_move(found.x, found.g))
        x, f, g = found.x, found.f, found.g
        points, values, gradients = (whole.index_copy(0, index, part)
                                     for whole, part in ((points, x), (values, f), (gradients, g)))
        iterations = iterations.index_add(0, index, (~found.failed).long())
        if bool(stop.any()):
            index, x, f, g, memory = index[~stop], x[~stop], f[~stop], g[~stop], memory[~stop]
        yield Iterate(iteration, points, values, gradients, nobody.index_fill(0, index, True), iterations)


def _can_move(x: Tensor, g: Tensor) -> Tensor:
    """(k,) bool: whether the projected gradient is not exactly zero."""
    return (((x - g).clamp(0, 1) - x) != 0).any(1)


@dataclass
class _Memory:
    """The last `MEMORY` pairs (s, y) of each problem, each in a slot of its own, empty ones holding zeros.

    w      (k, 2m, n): the rows y, then the rows s
    sy     (k, m, m): s_i·y_j where i is no older than j; ss (k, m, m): s_i·s_j
    age    (k, m): the larger the newer; 0: empty
    theta  (k,)
    """

    w: Tensor
    sy: Tensor
    ss: Tensor
    age: Tensor
    theta: Tensor

    @classmethod
    def empty(cls, x: Tensor) -> "_Memory":
        count, m = len(x), MEMORY
        return cls(x.new_zeros(count, 2 * m, x.shape[1]), x.new_zeros(count, m, m), x.new_zeros(count, m, m),
                   torch.zeros(count, m, dtype=torch.int64, device=x.device), x.new_ones(count))

    def __getitem__(self, chosen: Tensor) -> "_Memory":
        return _Memory(*(getattr(self, field.name)[chosen] for field in fields(self)))

    @property
    def is_empty(self) -> Tensor:
        return ~self.age.any(1)

    def updated(self, s: Tensor, y: Tensor, g: Tensor, failed: Tensor) -> "_Memory":
        """With a step s (k, n) that changed the gradient by y (k, n) from `g`; forgotten where the search has failed."""
        if bool(failed.any()):
            for part in (self.w, self.sy, self.ss, self.age):
                part[failed] = 0
            self.theta[failed] = 1
        rr, dr = (y * y).sum(1), (s * y).sum(1)
        new = (~failed & (dr > -EPS * (g * s).sum(1))).nonzero().flatten()
        slot = self.age[new].argmin(1)
        m = MEMORY
        self.w[new, slot], self.w[new, m + slot] = y[new], s[new]
        products = (self.w[new] if len(new) < len(s) else self.w).matmul(s[new].unsqueeze(2)).squeeze(2)
        self.sy[new, slot], self.ss[new, slot], self.ss[new, :, slot] = products[:, :m], products[:, m:], products[:, m:]
        self.age[new, slot] = self.age[new].amax(1) + 1
        self.theta[new] = rr[new] / dr[new]
        return self

    def middle(self) -> Tensor:
        """M (k, 2m, 2m) for W as it is stored, rows s without their factor θ."""
        newer = self.age[:, :, None] > self.age[:, None, :]
        lower, unused = self.sy * newer, (self.age == 0).to(self.sy)
        diagonal = torch.diag_embed(unused - self.sy.diagonal(dim1=1, dim2=2) * (1 - unused))
        theta = self.theta[:, None, None]
        inverse = torch.cat((torch.cat((diagonal, lower.mT), 2),
                             torch.cat((lower, theta * self.ss + torch.diag_embed(unused)), 2)), 1)
        matrix = torch.linalg.inv_ex(inverse).inverse
        factor = torch.cat((torch.ones_like(self.ss[:, 0]), self.theta[:, None].expand(-1, MEMORY)), 1)
        return factor[:, :, None] * matrix * factor[:, None, :]

    def minimum(self, x: Tensor, g: Tensor) -> Tensor:
        """Where the quadratic model has its minimum, about: the Cauchy point (k, n), then the free variables' subspace."""
        theta, middle = self.theta[:, None], self.middle()
        cauchy, c = self._cauchy(x, g, middle, BREAKPOINTS)
        free = (cauchy > 0) & (cauchy < 1)
        remembered = (self.age > 0).any()
        if not bool(remembered):
            return cauchy
        r = -(g + theta * (cauchy - x) - _times(self.w.mT, _times(middle, c))) * free
        w = self.w * free[:, None, :]
        v = _times(middle, _times(w, r))
        identity = torch.eye(2 * MEMORY, dtype=x.dtype, device=x.device)
        v = torch.linalg.solve_ex(identity - middle @ (w @ w.mT) / self.theta[:, None, None], v).result
        d = (r / theta + _times(w.mT, v) / theta**2) * free
        projected = (cauchy + d).clamp(0, 1)
        uphill = ((projected - x) * g).sum(1) > 0
        if not bool(uphill.any()):
            return projected
        room = torch.where(d > 0, (1 - cauchy) / d, torch.where(d < 0, -cauchy / d, torch.inf)).amin(1).clamp(max=1)
        return torch.where(uphill[:, None], (cauchy + room[:, None] * d).clamp(0, 1), projected)

    def _cauchy(self, x: Tensor, g: Tensor, middle: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """The first local minimum of the model on the projected path P(x − t·g), (k, n), and c = W(x_cauchy − x).

        The model is quadratic between the times at which variables reach their bounds; all pieces up to the `count`-th such
        time are looked at in one go, and in the problems where those are too few, all there are.
        """
        times = torch.where(g < 0, (x - 1) / g, torch.where(g > 0, x / g, torch.inf))
        moving = (times > 0) & (g != 0)
        d = torch.where(moving, -g, 0)
        count = min(count, x.shape[1])
        ends, places = torch.where(moving, times, torch.inf).topk(count, largest=False, sorted=True)
        leaving = torch.where(ends.isinf(), 0, g.gather(1, places))
        rows = self.w.gather(2, places[:, None, :].expand(-1, 2 * MEMORY, -1)).mT
        p = torch.cat((_times(self.w, d)[:, None], leaving[:, :, None] * rows), 1).cumsum(1)
        still = torch.cat(((d * d).sum(1, keepdim=True), -leaving**2), 1).cumsum(1).clamp_min(0)
        starts = torch.cat((torch.zeros_like(ends[:, :1]), ends), 1)
        lengths = torch.where(ends.isinf(), 0, ends - starts[:, :-1]).nan_to_num(0)
        c = torch.cat((torch.zeros_like(p[:, :1]), lengths[:, :, None] * p[:, :-1]), 1).cumsum(1)
        pm, theta = p @ middle, self.theta[:, None]
        finite = ~starts.isinf()
        at = torch.where(finite, starts, 0)
        first = -still * (1 - theta * at) - (pm * c).sum(2)
        second = theta * still - (pm * p).sum(2)
        steps = -first / second.maximum(EPS * second[:, :1])
        last = ends.new_full((len(ends), 1), torch.inf)
        if count < x.shape[1]:  # whether more variables move than those looked at
            last = torch.where(moving.sum(1, keepdim=True) > count, -torch.inf, last)
        here = finite & ((steps < torch.cat((ends, last), 1) - at) | (still == 0))
        piece = here.to(torch.int8).argmax(1, keepdim=True)
        step = steps.gather(1, piece).nan_to_num(0).clamp_min(0)
        end = at.gather(1, piece)
        cauchy = torch.where(moving & (times <= end), (g < 0).to(x), (x + (end + step) * d).clamp(0, 1))
        piece = piece[:, :, None].expand(-1, -1, 2 * MEMORY)
        c = (c.gather(1, piece) + step[:, :, None] * p.gather(1, piece)).squeeze(1)
        too_few = ~here.any(1)
        if bool(too_few.any()):
            cauchy[too_few], c[too_few] = self[too_few]._cauchy(x[too_few], g[too_few], middle[too_few], x.shape[1])
        return cauchy, c


def _times(matrices: Tensor, vectors: Tensor) -> Tensor:
    """(k, a, b) times (k, b)."""
    return (matrices @ vectors.unsqueeze(2)).squeeze(2)


@dataclass
class _Found:
    """What a line search ends at: points (k, n), values (k,), gradients (k, n); whether the caller is content; whether it failed."""

    x: Tensor
    f: Tensor
    g: Tensor
    content: Tensor
    failed: Tensor


def _search(function: Function, index: Tensor, x: Tensor, f: Tensor, g: Tensor, target: Tensor, first: bool) -> _Found:
    """From x towards `target` (k, n), by Moré & Thuente (1994), the first try being the target itself."""
    d = target - x
    slope = (g * d).sum(1)
    found = _Found(x.clone(), f.clone(), g.clone(), torch.zeros_like(slope, dtype=torch.bool), torch.ones_like(slope, dtype=torch.bool))
    trying = (slope < 0).nonzero().flatten()
    longest = torch.ones_like(slope) if first else torch.where(
        d > 0, (1 - x) / d, torch.where(d < 0, -x / d, torch.inf)).amin(1).clamp(1, 1e10)
    bracket = _Bracket.around(f, slope, longest)
    for _ in range(EVALUATIONS):
        if not len(trying):
            break
        step = bracket.step[trying][:, None]
        tried = torch.where(step == 1, target[trying], (x[trying] + step * d[trying]).clamp(0, 1))
        values, gradients, content = function(tried, index[trying])
        ends = bracket.narrowed(trying, values, (gradients * d[trying]).sum(1))
        there = trying[ends]
        found.x[there], found.f[there], found.g[there] = tried[ends], values[ends], gradients[ends]
        found.content[there], found.failed[there] = content[ends], False
        trying = trying[~ends]
    return found


@dataclass
class _Bracket:
    """The interval of each line search, as MINPACK-2's dcsrch keeps it: its best end `low`, its other end `high`, the next step."""

    f0: Tensor
    slope0: Tensor
    longest: Tensor
    step: Tensor
    low: Tensor  # (3, k): step, value and slope there
    high: Tensor
    bracketed: Tensor
    second_stage: Tensor
    shortest_next: Tensor
    longest_next: Tensor
    width: Tensor
    width_before: Tensor

    @classmethod
    def around(cls, f: Tensor, slope: Tensor, longest: Tensor) -> "_Bracket":
        zero, no = torch.zeros_like(f), torch.zeros_like(f, dtype=torch.bool)
        start = torch.stack((zero, f, slope))
        return cls(f, slope, longest, torch.ones_like(f), start, start.clone(), no, no.clone(), zero.clone(), 5 * torch.ones_like(f),
                   longest.clone(), 2 * longest)

    def narrowed(self, trying: Tensor, values: Tensor, slopes: Tensor) -> Tensor:
        """Take in the values and slopes at the steps of those `trying`; which (k',) of them are through."""
        at = _Bracket(*(getattr(self, field.name)[..., trying] for field in fields(self)))
        values = values.nan_to_num(nan=torch.inf)
        slope_wanted = DECREASE * at.slope0
        line = at.f0 + at.step * slope_wanted
        at.second_stage |= (values <= line) & (slopes >= 0)
        outside = at.bracketed & ((at.step <= at.shortest_next) | (at.step >= at.longest_next))
        narrow = at.bracketed & (at.longest_next - at.shortest_next <= NARROW * at.longest_next)
        at_longest = (at.step == at.longest) & (values <= line) & (slopes <= slope_wanted)
        at_shortest = (at.step == 0) & ((values > line) | (slopes >= slope_wanted))
        ends = outside | narrow | at_longest | at_shortest | ((values <= line) & (slopes.abs() <= -CURVATURE * at.slope0))
        if bool(ends.all()):
            return ends
        # As long as no step has been good enough, the function less its wanted decrease is what is narrowed down.
        tilt = torch.where(~at.second_stage & (values <= at.low[1]) & (values > line), slope_wanted, 0)
        tilted = [torch.stack((end[0], end[1] - end[0] * tilt, end[2] - tilt)) for end in (at.low, at.high)]
        low, high, step, bracketed = _next_step(*tilted, torch.stack((at.step, values - at.step * tilt, slopes - tilt)),
                                                at.bracketed, at.shortest_next, at.longest_next)
        at.low, at.high = (torch.stack((end[0], end[1] + end[0] * tilt, end[2] + tilt)) for end in (low, high))
        apart = at.high[0] - at.low[0]
        slow = bracketed & (apart.abs() >= 0.66 * at.width_before)
        step = torch.where(slow, at.low[0] + 0.5 * apart, step)
        at.width_before = torch.where(bracketed, at.width, at.width_before)
        at.width = torch.where(bracketed, apart.abs(), at.width)
        at.shortest_next = torch.where(bracketed, at.low[0].minimum(at.high[0]), step + 1.1 * (step - at.low[0]))
        at.longest_next = torch.where(bracketed, at.low[0].maximum(at.high[0]), step + 4.0 * (step - at.low[0]))
        step = step.clamp_min(0).minimum(at.longest)
        stuck = bracketed & ((step <= at.shortest_next) | (step >= at.longest_next)
                             | (at.longest_next - at.shortest_next <= NARROW * at.longest_next))
        at.step, at.bracketed = torch.where(stuck, at.low[0], step), bracketed
        for field in fields(self):
            getattr(self, field.name)[..., trying] = getattr(at, field.name)
        return ends


def _next_step(low: Tensor, high: Tensor, now: Tensor, bracketed: Tensor, shortest: Tensor,
               longest: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """MINPACK-2's dcstep: the interval's ends and the next step, from the minima of cubics and parabolas through what is known."""
    (sx, fx, dx), (sy, fy, dy), (sp, fp, dp) = low, high, now
    opposite = dp * dx.sign() < 0
    cubic = _cubic(sx, fx, dx, sp, fp, dp)
    secant = sp + dp / (dp - dx) * (sx - sp)
    # 1: a higher value. The minimum is bracketed.
    quadratic = sx + dx / ((fx - fp) / (sp - sx) + dx) / 2 * (sp - sx)
    one = torch.where((cubic - sx).abs() < (quadratic - sx).abs(), cubic, cubic + (quadratic - cubic) / 2)
    # 2: a lower value, slopes of opposite signs. It is bracketed too.
    two = torch.where((cubic - sp).abs() > (secant - sp).abs(), cubic, secant)
    # 3: a lower value, slopes of one sign, the new one smaller.
    onwards = torch.where(sp > sx, longest, shortest)
    beyond = (cubic - sp) * (sp - sx) > 0  # the cubic goes up again in the direction of the step
    cubic3 = torch.where(beyond & cubic.isfinite(), cubic, onwards)
    nearer = (cubic3 - sp).abs() < (secant - sp).abs()
    close, far = torch.where(nearer, cubic3, secant), torch.where(nearer, secant, cubic3)
    guard = sp + 0.66 * (sy - sp)
    three = torch.where(bracketed, torch.where(sp > sx, close.minimum(guard), close.maximum(guard)),
                        far.maximum(shortest).minimum(longest))
    # 4: a lower value, slopes of one sign, the new one no smaller.
    four = torch.where(bracketed, _cubic(sy, fy, dy, sp, fp, dp), onwards)
    higher, smaller = fp > fx, dp.abs() < dx.abs()
    step = torch.where(higher, one, torch.where(opposite, two, torch.where(smaller, three, four)))
    step = torch.where(step.isfinite(), step, (sx + sp) / 2)  # a value that is no number tells nothing
    new_high = torch.where(higher, now, torch.where(opposite, low, high))
    return torch.where(higher, low, now), new_high, step, bracketed | higher | opposite


def _cubic(sx: Tensor, fx: Tensor, dx: Tensor, sp: Tensor, fp: Tensor, dp: Tensor) -> Tensor:
    """The minimum of the cubic with these values and slopes at sx and sp."""
    theta = 3 * (fx - fp) / (sp - sx) + dx + dp
    scale = torch.stack((theta.abs(), dx.abs(), dp.abs())).amax(0)
    gamma = scale * ((theta / scale) ** 2 - dx / scale * (dp / scale)).clamp_min(0).sqrt()
    gamma = torch.where(sp > sx, -gamma, gamma)
    return sp + ((gamma - dp) + theta) / (((gamma - dp) + gamma) + dx) * (sx - sp)
