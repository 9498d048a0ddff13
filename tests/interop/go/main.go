// A stranger: a peer on go-libp2p, steered as ../README.md says.
//
// Without a DHT it is go-libp2p with gossipsub and mdns in this process (host.go). go-libp2p-kad-dht is not to be had
// from every module proxy, so with a DHT the peer is go-libp2p's own daemon p2pd, a child that this program steers
// (daemon.go); that peer has no mDNS.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
)

// Longest request: a publication of 1 MiB in hex, and some.
const lineBytesMax = 4 << 20

type request struct {
	Do             string          `json:"do"`
	Tag            json.RawMessage `json:"tag"`
	Seed           string          `json:"seed"`
	Rsa            bool            `json:"rsa"`
	Listen         []string        `json:"listen"`
	Mdns           *string         `json:"mdns"`
	Dht            *string         `json:"dht"`
	DhtProtocol    string          `json:"dht_protocol"`
	Bootstrap      []string        `json:"bootstrap"`
	DialDiscovered bool            `json:"dial_discovered"`
	Unsigned       bool            `json:"unsigned"`
	Address        string          `json:"address"`
	Peer           string          `json:"peer"`
	Topic          string          `json:"topic"`
	Data           string          `json:"data"`
	Namespace      string          `json:"namespace"`
	Text           string          `json:"text"`
	Nick           string          `json:"nick"`
	Sender         string          `json:"sender"`
	Count          int             `json:"count"`
	InFlight       int             `json:"in_flight"`
	Bytes          int             `json:"bytes"`
	Quiet          bool            `json:"quiet"`
}

type fields map[string]any

// What is asked of a peer, whichever it is.
type peerNode interface {
	// Answers a request; errCannot if it never could.
	do(request) (fields, error)
	// Leaves politely.
	close()
}

var errCannot = errors.New("cannot")

func cannot(what string) error {
	return fmt.Errorf("%s: %w", what, errCannot)
}

var output = struct {
	sync.Mutex
	*bufio.Writer
}{Writer: bufio.NewWriter(os.Stdout)}

func write(line fields) {
	text, err := json.Marshal(line)
	if err != nil {
		complain("a line", err)
		return
	}
	output.Lock()
	defer output.Unlock()
	output.Write(append(text, '\n'))
	output.Flush()
}

func event(name string, line fields) {
	line["event"] = name
	write(line)
}

func complain(what string, err error) {
	fmt.Fprintf(os.Stderr, "%s: %v\n", what, err)
}

func answer(tag json.RawMessage, line fields, err error) {
	if line == nil || err != nil {
		line = fields{}
	}
	line["tag"], line["ok"] = tag, err == nil
	if err != nil {
		line["error"] = err.Error()
		if errors.Is(err, errCannot) {
			line["cannot"] = true
		}
	}
	write(line)
}

// Requests that wait for another peer: the next one does not wait for them.
var slow = map[string]bool{
	"dial": true, "ping": true, "identify": true, "disconnect": true, "measure": true,
	"provide": true, "find": true, "find_peer": true,
}

func start(r request) (peerNode, fields, error) {
	if r.Dht != nil {
		return startDaemon(r)
	}
	return startHost(r)
}

func main() {
	var node peerNode
	defer func() {
		if node != nil {
			node.close()
		}
	}()
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, lineBytesMax)
	for lines.Scan() {
		var r request
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			complain("not a request", err)
			continue
		}
		switch {
		case r.Do == "stop":
			answer(r.Tag, nil, nil)
			return
		case r.Do == "start" && node != nil:
			answer(r.Tag, nil, errors.New("already started"))
		case r.Do == "start":
			started, line, err := start(r)
			if err == nil {
				node = started
			}
			answer(r.Tag, line, err)
		case node == nil:
			answer(r.Tag, nil, errors.New("not started"))
		case slow[r.Do]:
			go func() {
				line, err := node.do(r)
				answer(r.Tag, line, err)
			}()
		default:
			line, err := node.do(r)
			answer(r.Tag, line, err)
		}
	}
	if err := lines.Err(); err != nil {
		complain("input", err)
	}
}
