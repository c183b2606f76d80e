"""L-BFGS-B (Byrd, Lu, Nocedal & Zhu 1995; version 3.0 of Morales & Nocedal 2011) on many problems in [0, 1] at once.

Each problem has a memory, a Cauchy point, a subspace minimisation and a line search of its own, and goes through the
iterates that scipy's takes it through, to rounding. B = θI − W M Wᵀ approximates the Hessian; W's columns are the last
changes of gradient and point.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor
from torch.nn.functional import pad

MEMORY = 10
BREAKPOINTS = 1500  # of all problems' Cauchy paths that are looked at first; eight times as many where too few
DECREASE, CURVATURE, NARROW, EVALUATIONS = 1e-3, 0.9, 0.1, 20  # of the line search: scipy's ftol, gtol, xtol, maxls
EPS = torch.finfo(torch.float64).eps
Function = Callable[[Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]


@dataclass(frozen=True)
class Iterate:
    """Where N problems of n variables stand after so many `rounds`, in each of which the function is asked once of
    every problem.

    points      (N, n) float64 in [0, 1]: those that the line searches have accepted so far
    values      (N,), and gradients (N, n), there
    running     (N,) bool
    iterations  (N,) int64: taken by each
    """

    rounds: int
    points: Tensor
    values: Tensor
    gradients: Tensor
    running: Tensor
    iterations: Tensor


def minimise(function: Function, start: Tensor, steps: int) -> Iterator[Iterate]:
    """Minimise N problems at once from `start` (N, n) float64, in at most `steps` iterations each.

    `function(points (k, n), index (k,))` gives values (k,), gradients (k, n) and whether (k,) the caller is content, of
    the problems at `index`. A problem also ends where its projected gradient is exactly zero, and where an iteration
    lowers its value no more. No problem waits for another's line search.
    """
    points = start.clamp(0, 1)
    index = torch.arange(len(points), device=points.device)
    values, gradients, content = function(points, index)
    iterations, nobody = torch.zeros_like(index), torch.zeros_like(content)
    index = (~content & _can_move(points, gradients)).nonzero().flatten()
    now = _Running.begun(index, points[index], values[index], gradients[index])
    rounds = 0
    yield Iterate(rounds, points, values, gradients, nobody.index_fill(0, now.index, True), iterations)
    while len(now.index):
        accepted, stopped = now.advance(function, iterations, steps)
        if bool(accepted.any()):
            there = now.index[accepted]
            points, values, gradients = (
                whole.index_copy(0, there, part[accepted])
                for whole, part in ((points, now.x), (values, now.f), (gradients, now.g))
            )
            iterations = iterations.index_add(0, there, torch.ones_like(there))
        if bool(stopped.any()):
            now = now[~stopped]
        rounds += 1
        yield Iterate(rounds, points, values, gradients, nobody.index_fill(0, now.index, True), iterations)


def _can_move(x: Tensor, g: Tensor) -> Tensor:
    """(k,) bool: whether the projected gradient is not exactly zero."""
    return (((x - g).clamp(0, 1) - x) != 0).any(1)


@dataclass
class _Memory:
    """The last `MEMORY` pairs (s, y) of each problem, each in a slot of its own, empty ones holding zeros.

    There are m slots, as many as the longest memory needs: most attacks are over before it is full.

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
        count, m = len(x), 1
        return cls(
            x.new_zeros(count, 2 * m, x.shape[1]),
            x.new_zeros(count, m, m),
            x.new_zeros(count, m, m),
            torch.zeros(count, m, dtype=torch.int64, device=x.device),
            x.new_ones(count),
        )

    @property
    def slots(self) -> int:
        return self.age.shape[1]

    def __getitem__(self, chosen: Tensor) -> "_Memory":
        return _Memory(*(getattr(self, field.name)[chosen] for field in fields(self)))

    @property
    def is_empty(self) -> Tensor:
        return ~self.age.any(1)

    def forget(self, which: Tensor) -> None:
        """All of the problems `which` (k,) bool."""
        if bool(which.any()):
            for part in (self.w, self.sy, self.ss, self.age):
                part[which] = 0
            self.theta[which] = 1

    def remember(self, which: Tensor, s: Tensor, y: Tensor, g: Tensor) -> None:
        """Of the problems `which` (k,) bool, the step s (k, n) from where the gradient was `g`, and its change y (k,
        n).
        """
        rr, dr = (y * y).sum(1), (s * y).sum(1)
        new = (which & (dr > -EPS * (g * s).sum(1))).nonzero().flatten()
        if self.slots < MEMORY and bool(self.age[new].all(1).any()):
            self._add_slot()
        slot, m = self.age[new].argmin(1), self.slots
        self.w[new, slot], self.w[new, m + slot] = y[new], s[new]
        products = _times(self.w[new] if len(new) < len(s) else self.w, s[new])
        self.sy[new, slot], self.ss[new, slot], self.ss[new, :, slot] = (
            products[:, :m],
            products[:, m:],
            products[:, m:],
        )
        self.age[new, slot] = self.age[new].amax(1) + 1
        self.theta[new] = rr[new] / dr[new]

    def _add_slot(self) -> None:
        y, s = self.w.chunk(2, dim=1)
        self.w = torch.cat((pad(y, (0, 0, 0, 1)), pad(s, (0, 0, 0, 1))), 1)
        self.sy, self.ss, self.age = pad(self.sy, (0, 1, 0, 1)), pad(self.ss, (0, 1, 0, 1)), pad(self.age, (0, 1))

    def middle(self) -> Tensor:
        """M (k, 2m, 2m) for W as it is stored, rows s without their factor θ."""
        newer = self.age[:, :, None] > self.age[:, None, :]
        lower, unused = self.sy * newer, (self.age == 0).to(self.sy)
        diagonal = torch.diag_embed(unused - self.sy.diagonal(dim1=1, dim2=2) * (1 - unused))
        theta = self.theta[:, None, None]
        inverse = torch.cat(
            (torch.cat((diagonal, lower.mT), 2), torch.cat((lower, theta * self.ss + torch.diag_embed(unused)), 2)), 1
        )
        matrix = torch.linalg.inv_ex(inverse).inverse
        factor = torch.cat((torch.ones_like(self.ss[:, 0]), self.theta[:, None].expand(-1, self.slots)), 1)
        return factor[:, :, None] * matrix * factor[:, None, :]

    def minimum(self, x: Tensor, g: Tensor) -> Tensor:
        """Where the quadratic model has its minimum, about: the Cauchy point (k, n), then the free variables'
        subspace.
        """
        if not bool(self.age.any()):
            return (x - g).clamp(0, 1)
        theta, middle = self.theta[:, None], self.middle()
        cauchy, c = self._cauchy(x, g, middle, max(16, BREAKPOINTS // len(x)))
        free = (cauchy > 0) & (cauchy < 1)
        r = -(g + theta * (cauchy - x) - _times(self.w.mT, _times(middle, c))) * free
        w = self.w * free[:, None, :]
        v = _times(middle, _times(w, r))
        identity = torch.eye(2 * self.slots, dtype=x.dtype, device=x.device)
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

        The model is quadratic between the times at which variables reach their bounds; all pieces up to the `count`-th
        such time are looked at in one go, and more in the problems where those are too few.
        """
        times = torch.where(g < 0, (x - 1) / g, torch.where(g > 0, x / g, torch.inf))
        moving = (times > 0) & (g != 0)
        d = torch.where(moving, -g, 0)
        count = min(count, x.shape[1])
        ends, places = torch.where(moving, times, torch.inf).topk(count, largest=False, sorted=True)
        leaving = torch.where(ends.isinf(), 0, g.gather(1, places))
        rows = self.w.gather(2, places[:, None, :].expand(-1, 2 * self.slots, -1)).mT
        p = torch.cat((_times(self.w, d)[:, None], leaving[:, :, None] * rows), 1).cumsum(1)
        still = torch.cat(((d * d).sum(1, keepdim=True), -(leaving**2)), 1).cumsum(1).clamp_min(0)
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
        piece = piece[:, :, None].expand(-1, -1, 2 * self.slots)
        c = (c.gather(1, piece) + step[:, :, None] * p.gather(1, piece)).squeeze(1)
        too_few = ~here.any(1)
        if bool(too_few.any()):
            cauchy[too_few], c[too_few] = self[too_few]._cauchy(x[too_few], g[too_few], middle[too_few], 8 * count)
        return cauchy, c


def _times(matrices: Tensor, vectors: Tensor) -> Tensor:
    """(k, a, b) times (k, b)."""
    return (matrices @ vectors.unsqueeze(2)).squeeze(2)


@dataclass
class _Running:
    """The problems at `index` that are at work: at points x (k, n) with values f and gradients g, searching towards
    `target`.
    """

    index: Tensor
    x: Tensor
    f: Tensor
    g: Tensor
    memory: "_Memory"
    target: Tensor
    bracket: "_Bracket"
    asked: Tensor  # how often the function was, in this line search

    @classmethod
    def begun(cls, index: Tensor, x: Tensor, f: Tensor, g: Tensor) -> "_Running":
        memory = _Memory.empty(x)
        target = memory.minimum(x, g)
        slope = (g * (target - x)).sum(1)
        return cls(
            index, x, f, g, memory, target, _Bracket.around(f, slope, torch.ones_like(f)), torch.zeros_like(index)
        )

    def __getitem__(self, chosen: Tensor) -> "_Running":
        return _Running(*(getattr(self, field.name)[chosen] for field in fields(self)))

    def advance(self, function: Function, iterations: Tensor, steps: int) -> tuple[Tensor, Tensor]:
        """Ask the function once: which problems (k,) have accepted a point by that, and which have come to their
        end.
        """
        step, d = self.bracket.step[:, None], self.target - self.x
        tried = torch.where(step == 1, self.target, (self.x + step * d).clamp(0, 1))
        values, gradients, content = function(tried, self.index)
        self.asked += 1
        accepted = self.bracket.narrowed(values, (gradients * d).sum(1))
        failed = ~accepted & (self.asked >= EVALUATIONS)
        stopped = failed & self.memory.is_empty
        self.memory.forget(failed)
        if bool(accepted.any()):
            new = accepted[:, None]
            self.memory.remember(accepted, tried - self.x, gradients - self.g, self.g)
            stopped |= accepted & (content | ~(values < self.f) | (iterations[self.index] + 1 >= steps))
            self.x, self.g = torch.where(new, tried, self.x), torch.where(new, gradients, self.g)
            self.f = torch.where(accepted, values, self.f)
            stopped |= accepted & ~_can_move(self.x, self.g)
        stopped |= self._aim(((accepted | failed) & ~stopped).nonzero().flatten())
        return accepted, stopped

    def _aim(self, index: Tensor) -> Tensor:
        """New line searches for those at `index`; which of all problems (k,) go down no way at all."""
        lost = torch.zeros_like(self.asked, dtype=torch.bool)
        if not len(index):
            return lost
        every = len(index) == len(self.x)
        memory, x, g = (self.memory, self.x, self.g) if every else (self.memory[index], self.x[index], self.g[index])
        target = memory.minimum(x, g)
        slope = (g * (target - x)).sum(1)
        uphill = ~(slope < 0)
        if bool(uphill.any()):  # what is remembered misleads
            self.memory.forget(lost.index_fill(0, index[uphill], True))
            target[uphill] = (x[uphill] - g[uphill]).clamp(0, 1)
            slope = (g * (target - x)).sum(1)
            lost[index] = ~(slope < 0)
        d = target - x
        room = torch.where(d > 0, (1 - x) / d, torch.where(d < 0, -x / d, torch.inf)).amin(1).clamp(1, 1e10)
        self.target[index], self.asked[index] = target, 0
        self.bracket.put(index, _Bracket.around(self.f[index], slope, room))
        return lost


@dataclass
class _Bracket:
    """The interval of each line search, as MINPACK-2's dcsrch keeps it: its best end `low`, its other end `high`, the
    next step.
    """

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
        return cls(
            f,
            slope,
            longest,
            torch.ones_like(f),
            start,
            start.clone(),
            no,
            no.clone(),
            zero.clone(),
            5 * torch.ones_like(f),
            longest.clone(),
            2 * longest,
        )

    def __getitem__(self, chosen: Tensor) -> "_Bracket":
        return _Bracket(*(getattr(self, field.name)[..., chosen] for field in fields(self)))

    def put(self, index: Tensor, there: "_Bracket") -> None:
        for field in fields(self):
            getattr(self, field.name)[..., index] = getattr(there, field.name)

    def narrowed(self, values: Tensor, slopes: Tensor) -> Tensor:
        """Take in the values and slopes (k,) at the steps; which (k,) line searches are through."""
        ends = self._ends(values, slopes)
        trying = (~ends).nonzero().flatten()
        if len(trying):
            self.put(trying, self[trying]._narrowed(values[trying], slopes[trying]))
        return ends

    def _ends(self, values: Tensor, slopes: Tensor) -> Tensor:
        wanted = DECREASE * self.slope0
        low_enough = values <= self.f0 + self.step * wanted
        outside = (self.step <= self.shortest_next) | (self.step >= self.longest_next)
        narrow = self.longest_next - self.shortest_next <= NARROW * self.longest_next
        at_longest = (self.step == self.longest) & low_enough & (slopes <= wanted)
        at_shortest = (self.step == 0) & (~low_enough | (slopes >= wanted))
        return (
            (self.bracketed & (outside | narrow))
            | at_longest
            | at_shortest
            | (low_enough & (slopes.abs() <= -CURVATURE * self.slope0))
        )

    def _narrowed(self, values: Tensor, slopes: Tensor) -> "_Bracket":
        values = values.nan_to_num(nan=torch.inf)
        wanted = DECREASE * self.slope0
        line = self.f0 + self.step * wanted
        second_stage = self.second_stage | ((values <= line) & (slopes >= 0))
        # As long as no step has been good enough, the function less its wanted decrease is what is narrowed down.
        tilt = torch.where(~second_stage & (values <= self.low[1]) & (values > line), wanted, 0)
        low, high = (torch.stack((end[0], end[1] - end[0] * tilt, end[2] - tilt)) for end in (self.low, self.high))
        low, high, step, bracketed = _next_step(
            low,
            high,
            torch.stack((self.step, values - self.step * tilt, slopes - tilt)),
            self.bracketed,
            self.shortest_next,
            self.longest_next,
        )
        low, high = (torch.stack((end[0], end[1] + end[0] * tilt, end[2] + tilt)) for end in (low, high))
        apart = high[0] - low[0]
        step = torch.where(bracketed & (apart.abs() >= 0.66 * self.width_before), low[0] + 0.5 * apart, step)
        shortest = torch.where(bracketed, low[0].minimum(high[0]), step + 1.1 * (step - low[0]))
        longest = torch.where(bracketed, low[0].maximum(high[0]), step + 4.0 * (step - low[0]))
        step = step.clamp_min(0).minimum(self.longest)
        stuck = bracketed & ((step <= shortest) | (step >= longest) | (longest - shortest <= NARROW * longest))
        return replace(
            self,
            step=torch.where(stuck, low[0], step),
            low=low,
            high=high,
            bracketed=bracketed,
            second_stage=second_stage,
            shortest_next=shortest,
            longest_next=longest,
            width=torch.where(bracketed, apart.abs(), self.width),
            width_before=torch.where(bracketed, self.width, self.width_before),
        )


def _next_step(
    low: Tensor, high: Tensor, now: Tensor, bracketed: Tensor, shortest: Tensor, longest: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """MINPACK-2's dcstep: the interval's ends and the next step, from the minima of cubics and parabolas through what
    is known.
    """
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
    three = torch.where(
        bracketed,
        torch.where(sp > sx, close.minimum(guard), close.maximum(guard)),
        far.maximum(shortest).minimum(longest),
    )
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
