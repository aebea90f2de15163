"""What happens to servers and balancers, one class for each. Times are seconds."""

import asyncio
import signal


class Disturbance:
    """Happens at a stage. `doc` is the heading in the report."""

    name = doc = ""
    only: tuple[str, ...] = ()  # balancers for which it is another one than its neighbour
    is_shared = False
    removal = "drain"
    is_handed = False  # the listening socket belongs to somebody else
    tunnels = 20
    pages = 0.1  # the share of requests that are answered over a tenth of a second
    marks = 0.0  # the share of requests that show which file is followed
    newcomers_at, newcomers_for = 0.0, 3.0
    turnover = 0.0  # the share of clients that leave, and as many come, after those
    watched: int | None = 0  # the server whose newcomers are counted
    after = 3.0

    def at_first(self, servers: list) -> list:
        """The servers that stand in the first file."""
        return servers

    def ready(self, servers: list) -> list:
        """The servers that take newcomers at the end."""
        return servers

    async def happen(self, stage) -> None:
        await asyncio.sleep(3)


class Nothing(Disturbance):
    name, doc = "nothing", "nothing happens"
    watched = None


class ServerKilled(Disturbance):
    name, doc = "server-killed", "a server is killed and back, empty, after 3 s"
    newcomers_at, newcomers_for, turnover = 3.5, 4.0, 0.12

    async def happen(self, stage) -> None:
        server = stage.servers[0]
        stage.dead.add(stage.life_of(server.name))
        stage.kill(server)
        await asyncio.sleep(3)
        await stage.open(server)


class ServerFrozen(Disturbance):
    name, doc = "server-frozen", "a server is frozen for 3 s"
    newcomers_for = 2.8
    after = 5.0

    async def happen(self, stage) -> None:
        process = stage.servers[0].process
        process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(3)
        process.send_signal(signal.SIGCONT)


class Drained(Disturbance):
    name, doc = "server-drained", "a server drains"
    newcomers_at = 0.5

    def ready(self, servers: list) -> list:
        return servers[1:]

    async def happen(self, stage) -> None:
        await stage.balancer.drain(stage.servers[0], stage.servers)
        await asyncio.sleep(3)


class WeightZero(Drained):
    name, doc = "weight-zero", "a server gets weight 0"

    async def happen(self, stage) -> None:
        await stage.balancer.weight_zero(stage.servers[0])
        await asyncio.sleep(3)


class Removed(Drained):
    name, doc = "server-removed", "a server is removed from the file"

    async def happen(self, stage) -> None:
        await stage.reload(stage.servers[1:])
        await asyncio.sleep(3)


class RemovedNow(Removed):
    name, doc = "server-removed-now", "a server is removed from the file, `removal: now`"
    only = ("belay",)
    removal = "now"
    tunnels = 0


class Added(Disturbance):
    name, doc = "server-added", "a server is added"
    newcomers_at, newcomers_for, turnover = 0.3, 4.0, 0.12
    watched = 3

    def at_first(self, servers: list) -> list:
        return servers[:3]

    async def happen(self, stage) -> None:
        await stage.reload(stage.servers)
        await asyncio.sleep(3)


class AddedShared(Added):
    name, doc = "server-added-shared", "a server is added, carts in Redis; `belay rebalance`"
    is_shared = True

    async def happen(self, stage) -> None:
        await stage.reload(stage.servers)
        if stage.balancer.rebalance:
            await asyncio.sleep(1)
            await stage.balancer.rebalance()
        await asyncio.sleep(3)


class AddressChanged(Disturbance):
    name, doc = "address-changed", "a server moves to another port, with its carts"
    watched = None

    async def happen(self, stage) -> None:
        await asyncio.sleep(0.5)
        server = stage.servers[0]
        server.process.send_signal(signal.SIGUSR1)
        await asyncio.sleep(0.1)
        server.port = server.next_port
        await stage.reload(stage.servers)
        await asyncio.sleep(3)


class Reloads(Disturbance):
    name, doc = "ten-reloads", "the balancer reloads ten times"
    marks = 0.2
    watched = None
    newcomers_for = 9.0

    async def happen(self, stage) -> None:
        for number in range(1, 11):
            await stage.reload(stage.servers, number % 2)
            await asyncio.sleep(1)


class Restarted(Disturbance):
    name, doc = "restarted", "the balancer is stopped with SIGTERM, and started"
    watched = None
    # All answers are quick: the figure is what the stop and the start cost.
    pages, tunnels = 0.0, 0

    async def happen(self, stage) -> None:
        await asyncio.sleep(0.5)
        await stage.balancer.stop()
        stage.ready_ms = await stage.balancer.start()
        await asyncio.sleep(3)


class RestartedSockets(Restarted):
    name, doc = "restarted-sockets", "the same, and the service manager holds the sockets"
    is_handed = True

    async def happen(self, stage) -> None:
        await asyncio.sleep(0.5)
        await stage.balancer.stop()
        await stage.balancer.start()
        await asyncio.sleep(3)


class Killed(Restarted):
    name, doc = "killed", "the balancer is killed, and started"

    async def happen(self, stage) -> None:
        await asyncio.sleep(0.5)
        stage.balancer.kill()
        stage.ready_ms = await stage.balancer.start()
        await asyncio.sleep(3)


class Upgraded(Disturbance):
    name, doc = "upgraded", "the balancer's binary is replaced while it runs"
    watched = None

    async def happen(self, stage) -> None:
        await asyncio.sleep(0.5)
        await stage.balancer.upgrade()
        await asyncio.sleep(3)


ALL = {kind.name: kind for kind in (
    Nothing, ServerKilled, ServerFrozen, Drained, WeightZero, Removed, RemovedNow, Added,
    AddedShared, AddressChanged, Reloads, Restarted, RestartedSockets, Killed, Upgraded,
)}
