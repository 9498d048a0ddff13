package main

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p"
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/p2p/discovery/mdns"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
)

// A request that needs another peer is given up after this.
const patience = 30 * time.Second

// As in py-libp2p's examples.
const rsaBits = 2048

// Messages of a topic that wait for this program. go-libp2p-pubsub's own 32 would lose some to a slow reader of events.
const topicMessages = 1024

// The peer in this process: go-libp2p's own defaults, but for the transports.
type hostNode struct {
	host   host.Host
	pubsub *pubsub.PubSub
	mdns   mdns.Service
	dials  bool
	trips  *trips

	mutex  sync.Mutex
	topics map[string]*topicNode
	// Ids of what is being published, by the address of its first byte.
	ids sync.Map
}

type topicNode struct {
	*pubsub.Topic
	subscribed bool
}

func privateKey(seed string) (crypto.PrivKey, error) {
	bytes, err := hex.DecodeString(seed)
	if err != nil || len(bytes) != ed25519.SeedSize {
		return nil, errors.New("seed is not 32 bytes of hex")
	}
	return crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(bytes))
}

func version(module string) string {
	build, _ := debug.ReadBuildInfo()
	for _, dependency := range build.Deps {
		if dependency.Path == "github.com/libp2p/"+module {
			return module + " " + strings.TrimPrefix(dependency.Version, "v")
		}
	}
	return module
}

func startHost(r request) (_ peerNode, _ fields, err error) {
	key, err := privateKey(r.Seed)
	if r.Rsa {
		key, _, err = crypto.GenerateKeyPair(crypto.RSA, rsaBits)
	}
	if err != nil {
		return nil, nil, err
	}
	listen := libp2p.ListenAddrStrings(r.Listen...)
	if len(r.Listen) == 0 {
		listen = libp2p.NoListenAddrs
	}
	h, err := libp2p.New(
		libp2p.Identity(key),
		listen,
		libp2p.Transport(tcp.NewTCPTransport),
		libp2p.Security(noise.ID, noise.New),
		libp2p.Muxer(yamux.ID, yamux.DefaultTransport),
		libp2p.DisableRelay(),
	)
	if err != nil {
		return nil, nil, err
	}
	n := &hostNode{host: h, dials: r.DialDiscovered, topics: map[string]*topicNode{}}
	n.trips = newTrips(n.publish)
	defer func() {
		if err != nil {
			n.close()
		}
	}()
	h.Network().Notify(&network.NotifyBundle{
		ConnectedF: func(_ network.Network, c network.Conn) {
			event("connected", fields{"peer": c.RemotePeer().String(), "address": c.RemoteMultiaddr().String()})
		},
		DisconnectedF: func(_ network.Network, c network.Conn) {
			event("disconnected", fields{"peer": c.RemotePeer().String()})
		},
	})
	// The default message id is the specification's, so `id_profile` changes nothing.
	options := []pubsub.Option{pubsub.WithDefaultValidator(n.note, pubsub.WithValidatorInline(true))}
	if r.Unsigned {
		options = append(options, pubsub.WithMessageSignaturePolicy(pubsub.LaxNoSign))
	}
	n.pubsub, err = pubsub.NewGossipSub(context.Background(), h, options...)
	if err != nil {
		return nil, nil, err
	}
	if r.Mdns != nil {
		n.mdns = mdns.NewMdnsService(h, strings.TrimSuffix(*r.Mdns, ".local"), n)
		if err = n.mdns.Start(); err != nil {
			return nil, nil, err
		}
	}
	for _, address := range r.Bootstrap {
		go func() {
			if err := n.dial(address); err != nil {
				complain("bootstrap "+address, err)
			}
		}()
	}
	line := fields{
		"peer":    h.ID().String(),
		"version": fmt.Sprintf("%s, %s, %s", version("go-libp2p"), version("go-libp2p-pubsub"), runtime.Version()),
	}
	return n, line, nil
}

func (n *hostNode) close() {
	if n.mdns != nil {
		n.mdns.Close()
	}
	n.host.Close()
}

// HandlePeerFound is called by mdns for each answer it understands.
func (n *hostNode) HandlePeerFound(found peer.AddrInfo) {
	event("discovered", fields{"peer": found.ID.String(), "addresses": texts(found.Addrs)})
	if n.dials && n.host.Network().Connectedness(found.ID) != network.Connected {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := n.host.Connect(ctx, found); err != nil {
			complain("dial", err)
		}
	}
}

// note keeps the id of what is published: Publish does not give it.
func (n *hostNode) note(_ context.Context, _ peer.ID, message *pubsub.Message) bool {
	if message.ReceivedFrom == n.host.ID() && len(message.Data) > 0 {
		if id, waited := n.ids.Load(&message.Data[0]); waited {
			*id.(*string) = message.ID
		}
	}
	return true
}

func (n *hostNode) publish(topic string, data []byte) (string, error) {
	t, err := n.join(topic)
	if err != nil {
		return "", err
	}
	var id string
	if len(data) > 0 {
		n.ids.Store(&data[0], &id)
		defer n.ids.Delete(&data[0])
	}
	err = t.Publish(context.Background(), data)
	return id, err
}

func (n *hostNode) join(topic string) (*topicNode, error) {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	if t := n.topics[topic]; t != nil {
		return t, nil
	}
	joined, err := n.pubsub.Join(topic)
	if err != nil {
		return nil, err
	}
	t := &topicNode{Topic: joined}
	n.topics[topic] = t
	others, err := joined.EventHandler()
	if err != nil {
		return nil, err
	}
	go func() {
		for {
			other, err := others.NextPeerEvent(context.Background())
			if err != nil {
				return
			}
			if other.Type == pubsub.PeerJoin {
				event("joined", fields{"peer": other.Peer.String(), "topic": topic})
			}
		}
	}()
	return t, nil
}

func (n *hostNode) subscribe(topic string) error {
	t, err := n.join(topic)
	if err != nil {
		return err
	}
	n.mutex.Lock()
	defer n.mutex.Unlock()
	if t.subscribed {
		return nil
	}
	subscription, err := t.Subscribe(pubsub.WithBufferSize(topicMessages))
	if err != nil {
		return err
	}
	t.subscribed = true
	go n.hear(topic, subscription)
	return nil
}

func (n *hostNode) hear(topic string, subscription *pubsub.Subscription) {
	for {
		message, err := subscription.Next(context.Background())
		if err != nil {
			return
		}
		if message.ReceivedFrom == n.host.ID() {
			continue
		}
		n.trips.hear(topic, message.Data)
		if n.trips.quiet(topic) {
			continue
		}
		event("message", fields{
			"topic": topic, "from": message.GetFrom().String(), "data": hex.EncodeToString(message.Data),
			"seqno": hex.EncodeToString(message.Seqno), "key": message.Key != nil,
		})
	}
}

func (n *hostNode) dial(address string) error {
	info, err := peer.AddrInfoFromString(address)
	if err != nil {
		return err
	}
	// Who is told to dial dials, however the last attempt ended.
	if s, ok := n.host.Network().(*swarm.Swarm); ok {
		s.Backoff().Clear(info.ID)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return n.host.Connect(ctx, *info)
}

func (n *hostNode) ping(id peer.ID) (fields, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	select {
	case result := <-ping.Ping(ctx, n.host, id):
		return fields{"ms": float64(result.RTT.Microseconds()) / 1000}, result.Error
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (n *hostNode) identify(id peer.ID) (fields, error) {
	deadline := time.Now().Add(patience)
	for n.host.Network().Connectedness(id) == network.Connected {
		// A connected peer's identify runs by itself; the agent's version is there when it has ended.
		if agent, err := n.host.Peerstore().Get(id, "AgentVersion"); err == nil {
			protocols, err := n.host.Peerstore().GetProtocols(id)
			return fields{"agent": agent, "protocols": protocols}, err
		} else if !errors.Is(err, peerstore.ErrNotFound) || time.Now().After(deadline) {
			return nil, err
		}
		time.Sleep(10 * time.Millisecond)
	}
	return nil, fmt.Errorf("not connected to %s", id)
}

func (n *hostNode) do(r request) (fields, error) {
	switch r.Do {
	case "addresses":
		return fields{"addresses": withPeer(texts(n.host.Addrs()), n.host.ID())}, nil
	case "dial":
		return nil, n.dial(r.Address)
	case "ping", "identify", "disconnect":
		id, err := peer.Decode(r.Peer)
		switch {
		case err != nil:
			return nil, err
		case r.Do == "ping":
			return n.ping(id)
		case r.Do == "identify":
			return n.identify(id)
		}
		return nil, n.host.Network().ClosePeer(id)
	case "peers":
		peers := []string{}
		for _, connection := range n.host.Network().Conns() {
			peers = append(peers, connection.RemotePeer().String())
		}
		return fields{"peers": peers}, nil
	case "subscribe":
		return nil, n.subscribe(r.Topic)
	case "subscribers":
		return fields{"peers": texts(n.pubsub.ListPeers(r.Topic))}, nil
	case "publish":
		data, err := hex.DecodeString(r.Data)
		if err != nil {
			return nil, err
		}
		id, err := n.publish(r.Topic, data)
		return fields{"id": hex.EncodeToString([]byte(id))}, err
	case "echo":
		n.trips.echo(r)
		return nil, n.subscribe(r.Topic)
	case "measure":
		if err := n.subscribe(r.Topic); err != nil {
			return nil, err
		}
		return n.trips.measure(r)
	case "encode_chat":
		return encodeChat(r)
	case "decode_chat":
		return decodeChat(r)
	case "provide", "find", "find_peer":
		return nil, cannot("started without a DHT")
	}
	return nil, cannot("no such request: " + r.Do)
}

func texts[T fmt.Stringer](values []T) []string {
	list := []string{}
	for _, value := range values {
		list = append(list, value.String())
	}
	return list
}

func withPeer(addresses []string, id peer.ID) []string {
	for at := range addresses {
		addresses[at] += "/p2p/" + id.String()
	}
	return addresses
}
