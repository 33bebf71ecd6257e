"""What `make bench-warm` measures is the product's own path, and works."""

from __future__ import annotations

from hack.bench.warm.serve import serve
from tests.wiring.wire.models import HOST, Model, echo
from tests.wiring.wire.rig import connect, post


async def test_the_path_that_is_measured() -> None:
    model = Model(echo)
    await model.start()
    listener = await serve(0, model.port, [HOST])
    caller = await connect(listener.port)
    for path in (b"/endpoints/iris/invocations", b"/invocations"):
        await caller.send(post(b"1,2", path, host=b"iris.default"))
        assert (await caller.answer()).body == b"1,2"
    caller.close()
    await listener.stop()
    await model.stop()
