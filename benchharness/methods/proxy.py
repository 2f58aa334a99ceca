"""Zero-cost search, without a supernet (Abdelfattah, Mehrotra, Dudziak & Lane, ICLR 2021)."""

from typing import ClassVar

from benchharness.errors import UserError
from benchharness.methods._base import Method
from benchharness.models import proxies
from benchharness.space import SIZE


class Proxy(Method):
    """The best of 100 random cells by a zero-cost score of their untrained networks: `proxy:synflow`, `proxy:snip`."""

    version = 2
    update = "none"
    selection = "proxy"
    main_option: ClassVar[str] = "measure"
    measure = "synflow"
    samples = 100
    batch = 64
    channels = 16
    cells = 5

    def __init__(self, edges: int, ops: int) -> None:
        super().__init__(edges, ops)
        proxies.check_measure(self.measure)
        proxies.Setting(self.channels, self.cells).checked()
        if not 0 <= self.samples <= SIZE or self.batch < 2:
            raise UserError(f"samples={self.samples}, batch={self.batch}: take 0 (all) to {SIZE}, and 2 or more")
