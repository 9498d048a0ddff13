// A stranger: a peer on go-libp2p with the DHT that its examples stood on for years, kad-dht 0.25.1. That one asks each
// new server for the server's own id, and takes an empty answer for broken. Steered as ../README.md says.
package main

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p"
	dht "github.com/libp2p/go-libp2p-kad-dht"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multihash"
)

const (
	// Longest walk through the table.
	queryTimeout = 30 * time.Second
	findCount    = 20
)

type request struct {
	Do        string   `json:"do"`
	Tag       any      `json:"tag"`
	Seed      string   `json:"seed"`
	Listen    []string `json:"listen"`
	Dht       string   `json:"dht"`
	Bootstrap []string `json:"bootstrap"`
	Namespace string   `json:"namespace"`
	Peer      string   `json:"peer"`
}

type fields map[string]any

type node struct {
	host host.Host
	dht  *dht.IpfsDHT
}

func start(ctx context.Context, r request) (*node, fields, error) {
	seed, err := hex.DecodeString(r.Seed)
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, nil, errors.New("the seed is 32 bytes in hex")
	}
	key, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(seed))
	if err != nil {
		return nil, nil, err
	}
	h, err := libp2p.New(libp2p.Identity(key), libp2p.ListenAddrStrings(r.Listen...))
	if err != nil {
		return nil, nil, err
	}
	mode := dht.ModeClient
	if r.Dht == "server" {
		mode = dht.ModeServer
	}
	// As the examples make it: the public protocol and no bootstrap but what is given.
	table, err := dht.New(ctx, h, dht.Mode(mode))
	if err != nil {
		return nil, nil, err
	}
	for _, text := range r.Bootstrap {
		info, err := peer.AddrInfoFromString(text)
		if err != nil {
			return nil, nil, err
		}
		if err := h.Connect(ctx, *info); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", text, err)
		}
	}
	if err := table.Bootstrap(ctx); err != nil {
		return nil, nil, err
	}
	return &node{h, table}, fields{"peer": h.ID().String(), "version": "go-libp2p 0.30.0, kad-dht 0.25.1"}, nil
}

func key(namespace string) (cid.Cid, error) {
	sum := sha256.Sum256([]byte(namespace))
	hash, err := multihash.Encode(sum[:], multihash.SHA2_256)
	return cid.NewCidV1(cid.Raw, hash), err
}

func texts[T fmt.Stringer](all []T) []string {
	out := []string{}
	for _, one := range all {
		out = append(out, one.String())
	}
	return out
}

func (n *node) do(ctx context.Context, r request) (fields, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	switch r.Do {
	case "addresses":
		addresses := []string{}
		for _, address := range n.host.Addrs() {
			addresses = append(addresses, fmt.Sprintf("%s/p2p/%s", address, n.host.ID()))
		}
		return fields{"addresses": addresses}, nil
	case "peers":
		return fields{"peers": texts(n.host.Network().Peers())}, nil
	case "table":
		return fields{"peers": texts(n.dht.RoutingTable().ListPeers())}, nil
	case "provide":
		key, err := key(r.Namespace)
		if err != nil {
			return nil, err
		}
		return nil, n.dht.Provide(ctx, key, true)
	case "find":
		key, err := key(r.Namespace)
		if err != nil {
			return nil, err
		}
		peers := []fields{}
		for info := range n.dht.FindProvidersAsync(ctx, key, findCount) {
			peers = append(peers, fields{"peer": info.ID.String(), "addresses": texts(info.Addrs)})
		}
		return fields{"peers": peers}, nil
	case "find_peer":
		id, err := peer.Decode(r.Peer)
		if err != nil {
			return nil, err
		}
		info, err := n.dht.FindPeer(ctx, id)
		return fields{"addresses": texts(info.Addrs)}, err
	}
	return nil, fmt.Errorf("cannot %q", r.Do)
}

func main() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var output sync.Mutex
	answer := func(tag any, line fields, err error) {
		if line == nil || err != nil {
			line = fields{}
		}
		line["tag"], line["ok"] = tag, err == nil
		if err != nil {
			line["error"] = err.Error()
		}
		text, _ := json.Marshal(line)
		output.Lock()
		defer output.Unlock()
		fmt.Printf("%s\n", text)
	}
	var started *node
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var r request
		switch err := json.Unmarshal(lines.Bytes(), &r); {
		case err != nil:
			fmt.Fprintln(os.Stderr, "not a request:", err)
		case r.Do == "stop":
			answer(r.Tag, nil, nil)
			return
		case r.Do == "start":
			made, line, err := start(ctx, r)
			started = made
			answer(r.Tag, line, err)
		case started == nil:
			answer(r.Tag, nil, errors.New("not started"))
		default:
			go func() {
				line, err := started.do(ctx, r)
				answer(r.Tag, line, err)
			}()
		}
	}
}
