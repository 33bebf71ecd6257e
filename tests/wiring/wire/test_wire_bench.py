"""`make bench-warm` measures the product's own request path."""

from __future__ import annotations

from hack.bench.warm.serve import serve
from tests.wiring.wire.models import HOST, Model, echo
from tests.wiring.wire.rig import connect, post


async def test_the_benchmark_uses_the_products_request_path() -> None:
    model = Model(echo)
    await model.start()
    listener = await serve(0, model.port, [HOST])
    caller = await connect(listener.port)
    for path in (b"/endpoints/iris/invocations", b"/invocations"):
        await caller.send(post(b"1,2", path, host=b"iris.default"))
        assert (await caller.response()).body == b"1,2"
    caller.close()
    await listener.stop()
    await model.stop()
