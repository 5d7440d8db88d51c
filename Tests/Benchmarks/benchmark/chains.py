"""The two ways from a visitor to the origin that are compared."""

from dataclasses import dataclass, field

from .culvert import Tunnel
from .nginx import start_proxy
from .processes import Child, wait_until
from .visitor import answers, trusting


@dataclass
class Chain:
    """An edge and a connector, or two proxies in their places."""

    name: str
    port: int
    edge: Child
    connector: Child
    idle_bytes: dict = field(default_factory=dict)

    @property
    def members(self):
        return {"edge": self.edge, "connector": self.connector}

    def cpu_seconds(self):
        return sum(child.cpu_seconds() for child in self.members.values())

    def resident_bytes(self):
        return {name: child.resident_bytes() for name, child in self.members.items()}

    def check(self):
        for child in self.members.values():
            child.check()


def start_culvert(binary, folder, certificates, origin, stack):
    tunnel = Tunnel(binary, folder, certificates, origin.port)
    edge = tunnel.start_edge()
    stack.callback(edge.stop)
    connector = tunnel.start_connector()
    stack.callback(connector.stop)
    return _ready(Chain("culvert", tunnel.port, edge, connector), certificates)


def start_nginx_chain(folder, certificates, origin, stack):
    inner, inner_port = start_proxy("nginx-inner", folder, certificates, "http", origin.port)
    stack.callback(inner.stop)
    outer, outer_port = start_proxy("nginx-outer", folder, certificates, "https", inner_port)
    stack.callback(outer.stop)
    return _ready(Chain("nginx", outer_port, outer, inner), certificates)


def _ready(chain, certificates):
    address, context = ("127.0.0.1", chain.port), trusting(certificates.authority)
    wait_until(
        lambda: answers(address, context), f"the {chain.name} chain", chain.members.values()
    )
    chain.idle_bytes = chain.resident_bytes()
    return chain
