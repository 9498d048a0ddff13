"""A stranger: a peer on py-libp2p, steered as ../README.md says."""

import contextvars
import hashlib
import importlib.metadata
import platform
import re
import sys

from libp2p import create_new_ed25519_key_pair, new_host
from libp2p.abc import INotifee
from libp2p.discovery.events.peerDiscovery import peerDiscovery
from libp2p.discovery.mdns import MDNSDiscovery
from libp2p.host.ping import PingService
from libp2p.identity.identify.identify import ID as IDENTIFY
from libp2p.identity.identify.identify import parse_identify_response
from libp2p.kad_dht.common import PROTOCOL_ID as KAD
from libp2p.kad_dht.kad_dht import DHTMode, KadDHT
from libp2p.peer.id import ID
from libp2p.peer.peerinfo import PeerInfo, info_from_p2p_addr
from libp2p.pubsub import gossipsub
from libp2p.pubsub.pubsub import Pubsub, get_peer_and_seqno_msg_id
from libp2p.tools.anyio_service import background_trio_service
from libp2p.utils.varint import read_length_prefixed_protobuf
from multiaddr import Multiaddr
import trio

from lines import Cannot, complain, event, serve
from trips import HEAD_BYTES, Trips

# All that it speaks, newest first.
MESHSUB = [
    gossipsub.PROTOCOL_ID_V20,
    gossipsub.PROTOCOL_ID_V14,
    gossipsub.PROTOCOL_ID_V13,
    gossipsub.PROTOCOL_ID_V12,
    gossipsub.PROTOCOL_ID_V11,
    gossipsub.PROTOCOL_ID,
]
# The specification's. py itself has no default for the degrees; for the heartbeat it has 120 s, with which a mesh
# takes minutes to form.
DEGREES = {"degree": 6, "degree_low": 5, "degree_high": 12, "heartbeat_interval": 1}
IDENTIFY_S = 10
STOP_S = 5

# The ids given to messages while a request publishes.
_ids = contextvars.ContextVar("ids", default=None)


def _message_id(message):
    id = get_peer_and_seqno_msg_id(message)
    ids = _ids.get()
    if ids is not None:
        ids.append(id.hex())
    return id


class Watcher(INotifee):
    """Tells of connections."""

    def __init__(self, stranger):
        self.stranger = stranger

    async def connected(self, network, conn):
        peer = conn.muxed_conn.peer_id
        addresses = [str(address) for address in conn.get_transport_addresses()]
        event("connected", peer=str(peer), address=addresses[0] if addresses else None)
        self.stranger.nursery.start_soon(self.stranger.meet, peer)

    async def disconnected(self, network, conn):
        event("disconnected", peer=str(conn.muxed_conn.peer_id))

    async def opened_stream(self, network, stream): ...

    async def closed_stream(self, network, stream): ...

    async def listen(self, network, multiaddr): ...

    async def listen_close(self, network, multiaddr): ...


class Stranger:
    host = None

    def __init__(self, nursery):
        self.nursery = nursery
        self.stopping = trio.Event()
        self.stopped = trio.Event()
        self.read = set()
        self.trips = Trips(self._publish)

    async def start(self, request):
        if self.host is not None:
            raise RuntimeError("already started")
        if request.get("dht") and request.get("dht_protocol", KAD) != KAD:
            raise Cannot(f"py's DHT speaks {KAD} only")
        service = request.get("mdns")
        if service is not None:
            service = service.removesuffix(".").removesuffix(".local")
            if not re.fullmatch(r"_[A-Za-z0-9-]{1,15}\._(udp|tcp)", service):
                raise Cannot(f"py's mDNS takes names of the form _x._udp of 15 bytes at most, not {service}")
        await self.nursery.start(self._run, request, service)
        parts = [f"{name} {importlib.metadata.version(name)}" for name in ("zeroconf", "trio")]
        version = ", ".join(
            [f"py-libp2p {importlib.metadata.version('libp2p')}", *parts, f"python {platform.python_version()}"]
        )
        return {"peer": str(self.host.get_id()), "version": version}

    async def _run(self, request, service, task_status=trio.TASK_STATUS_IGNORED):
        listen = [Multiaddr(address) for address in request.get("listen") or []]
        host = new_host(key_pair=create_new_ed25519_key_pair(bytes.fromhex(request["seed"])))
        token = trio.lowlevel.current_trio_token()
        if service is not None:
            dial = request.get("dial_discovered") is True
            peerDiscovery.register_peer_discovered_handler(lambda info: self._discovered(info, dial, token))
            # As the host makes it for `enable_mDNS`, which knows one name only.
            host.mDNS = MDNSDiscovery(host.get_network(), service_type=service + ".local.", host=host)
        self.dht = None
        if request.get("dht"):
            self.dht = KadDHT(host, DHTMode.SERVER if request["dht"] == "server" else DHTMode.CLIENT)
        self.gossip = gossipsub.GossipSub(protocols=MESHSUB, **DEGREES)
        signs = request.get("unsigned") is not True
        self.pubsub = Pubsub(host, self.gossip, msg_id_constructor=_message_id, strict_signing=signs)
        self._tell_who_joins()
        self.ping_service = PingService(host)
        host.get_network().register_notifee(Watcher(self))
        self.host = host
        async with host.run(listen_addrs=listen), background_trio_service(self.pubsub):
            async with background_trio_service(self.gossip):
                await self.pubsub.wait_until_ready()
                for address in request.get("bootstrap") or []:
                    self.nursery.start_soon(self._bootstrap, address)
                if self.dht is None:
                    task_status.started()
                    await self.stopping.wait()
                else:
                    async with background_trio_service(self.dht):
                        task_status.started()
                        await self.stopping.wait()
        await host.close()
        self.stopped.set()

    async def _bootstrap(self, address):
        try:
            await self.host.connect(info_from_p2p_addr(Multiaddr(address)))
        except Exception as error:
            complain(f"bootstrap {address}", error)

    def _tell_who_joins(self):
        handle = self.pubsub.handle_subscription

        def told(origin, sub):
            handle(origin, sub)
            if sub.subscribe:
                event("joined", peer=str(origin), topic=sub.topicid)

        self.pubsub.handle_subscription = told

    def _discovered(self, info, dial, token):
        event("discovered", peer=str(info.peer_id), addresses=[_plain(address) for address in info.addrs])
        if dial:
            token.run_sync_soon(self.nursery.start_soon, self._dial_discovered, info)

    async def _dial_discovered(self, info):
        try:
            await self.host.connect(PeerInfo(info.peer_id, [Multiaddr(_plain(address)) for address in info.addrs]))
        except Exception as error:
            complain("dial", error)

    async def meet(self, peer):
        """py leaves it to the program to put peers into the DHT's table."""
        if self.dht is None:
            return
        try:
            if KAD in (await self._identify(peer)).protocols:
                await self.dht.add_peer(peer)
        except Exception as error:
            complain(f"identify {peer}", error)

    async def _identify(self, peer):
        with trio.fail_after(IDENTIFY_S):
            stream = await self.host.new_stream(peer, [IDENTIFY])
            response = await read_length_prefixed_protobuf(stream, use_varint_format=True)
            await stream.close()
            return parse_identify_response(response)

    async def addresses(self, _):
        return {"addresses": [str(address) for address in self.host.get_addrs()]}

    async def dial(self, request):
        info = info_from_p2p_addr(Multiaddr(request["address"]))
        network = self.host.get_network()
        if not network.get_connections(info.peer_id):
            # By itself, py tries only the first address that it has of a peer, and none for 60 s after a failure.
            self.host.get_peerstore().clear_addrs(info.peer_id)
            network.unblock_peer(info.peer_id)
        await self.host.connect(info)

    async def ping(self, request):
        times = await self.ping_service.ping(self._connected(request), 1)
        return {"ms": times[0]}

    async def peers(self, _):
        return {"peers": [str(conn.muxed_conn.peer_id) for conn in self.host.get_network().get_connections()]}

    async def identify(self, request):
        identity = await self._identify(self._connected(request))
        return {"agent": identity.agent_version, "protocols": list(identity.protocols)}

    def _connected(self, request):
        peer = ID.from_string(request["peer"])
        if not self.host.get_network().get_connections(peer):
            raise RuntimeError(f"not connected to {peer}")
        return peer

    async def disconnect(self, request):
        await self.host.disconnect(ID.from_string(request["peer"]))

    async def subscribe(self, request):
        await self._subscribe(request["topic"])

    async def _subscribe(self, topic):
        subscription = await self.pubsub.subscribe(topic)
        if topic not in self.read:
            self.read.add(topic)
            self.nursery.start_soon(self._hear, topic, subscription)

    async def _hear(self, topic, subscription):
        own = self.host.get_id().to_bytes()
        while True:
            message = await subscription.get()
            if message.from_id == own:
                continue
            await self.trips.hear(topic, message.data)
            if topic in self.trips.quiet:
                continue
            event(
                "message",
                topic=topic,
                **{"from": str(ID(message.from_id))},
                data=message.data.hex(),
                seqno=message.seqno.hex(),
                key=message.HasField("key"),
            )

    async def subscribers(self, request):
        return {"peers": [str(peer) for peer in self.pubsub.peer_topics.get(request["topic"], ())]}

    async def _publish(self, topic, data):
        await self.pubsub.publish(topic, data)

    async def publish(self, request):
        ids = []
        _ids.set(ids)
        await self._publish(request["topic"], bytes.fromhex(request["data"]))
        return {"id": ids[0] if ids else None}

    def _table(self):
        if self.dht is None:
            raise RuntimeError("started without a DHT")
        return self.dht

    async def provide(self, request):
        if not await self._table().provide(_key(request)):
            raise RuntimeError("no peer took the record")

    async def find(self, request):
        found = {}
        for info in await self._table().find_providers(_key(request)):
            found.setdefault(str(info.peer_id), []).extend(_plain(address) for address in info.addrs)
        return {
            "peers": [{"peer": peer, "addresses": list(dict.fromkeys(known))} for peer, known in found.items()]
        }

    async def find_peer(self, request):
        info = await self._table().find_peer(ID.from_string(request["peer"]))
        if info is None:
            raise RuntimeError("not found")
        return {"addresses": list(dict.fromkeys(_plain(address) for address in info.addrs))}

    async def dm(self, _):
        raise Cannot("universal-connectivity's direct messages are on js only")

    async def echo(self, request):
        await self._subscribe(request["topic"])
        self.trips.echo(request["topic"], request.get("quiet") is True)

    async def measure(self, request):
        await self._subscribe(request["topic"])
        size = max(request.get("bytes") or 0, HEAD_BYTES)
        quiet = request.get("quiet") is True
        return await self.trips.measure(request["topic"], request["count"], request["in_flight"], size, quiet)

    async def stop(self, _):
        pass

    async def end(self):
        if self.host is not None:
            self.stopping.set()
            with trio.move_on_after(STOP_S):
                await self.stopped.wait()


def _key(request):
    """The multihash that go's nsToCid gives, in hex."""
    return "1220" + hashlib.sha256(request["namespace"].encode()).hexdigest()


def _plain(address):
    return str(address).split("/p2p/")[0]


async def main():
    async with trio.open_nursery() as nursery:
        stranger = Stranger(nursery)
        names = """start addresses dial ping peers identify disconnect subscribe subscribers publish provide find
            find_peer dm echo measure stop"""
        early = {"start", "stop"}

        def request(name):
            async def run(fields):
                if name not in early and stranger.host is None:
                    raise RuntimeError("not started")
                return await getattr(stranger, name)(fields)

            return run

        await serve({name: request(name) for name in names.split()}, nursery)
        await stranger.end()
        nursery.cancel_scope.cancel()


try:
    trio.run(main)
finally:
    sys.stdout.flush()
