package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"google.golang.org/protobuf/encoding/protowire"
)

// The daemon's requests and their fields (p2pd.proto of go-libp2p-daemon).
const (
	typeIdentify   = 0
	typeConnect    = 1
	typeDHT        = 4
	typeListPeers  = 5
	typeDisconnect = 7

	dhtFindPeer      = 0
	dhtFindProviders = 2
	dhtProvide       = 8
	dhtEnd           = 2

	// Providers a search gives at most; go's routing discovery asks for a hundred.
	findCount = 100
	// Longest message taken from the daemon.
	messageBytesMax = 1 << 20
)

// A peer in a child process: go-libp2p's daemon.
type daemonNode struct {
	id      peer.ID
	child   *exec.Cmd
	folder  string
	control string
}

// Where ./build puts it: beside this program.
func daemonProgram() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	return filepath.Join(filepath.Dir(self), "go-daemon", "p2pd"), nil
}

func startDaemon(r request) (peerNode, fields, error) {
	if r.DhtProtocol != "" && r.DhtProtocol != "/ipfs/kad/1.0.0" {
		return nil, nil, cannot("go's daemon speaks /ipfs/kad/1.0.0 only")
	}
	key, err := privateKey(r.Seed)
	if err != nil {
		return nil, nil, err
	}
	bytes, err := crypto.MarshalPrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	program, err := daemonProgram()
	if err != nil {
		return nil, nil, err
	}
	folder, err := os.MkdirTemp("", "stranger")
	if err != nil {
		return nil, nil, err
	}
	n := &daemonNode{id: id, folder: folder, control: filepath.Join(folder, "control")}
	keyFile := filepath.Join(folder, "key")
	if err := os.WriteFile(keyFile, bytes, 0o600); err != nil {
		return nil, nil, err
	}
	mode := "-dhtClient"
	if *r.Dht == "server" {
		mode = "-dhtServer"
	}
	arguments := []string{
		"-id", keyFile, "-listen", "/unix" + n.control, "-hostAddrs", strings.Join(r.Listen, ","), mode,
		"-relay=false", "-quic=false",
	}
	if len(r.Bootstrap) > 0 {
		arguments = append(arguments, "-b", "-bootstrapPeers", strings.Join(r.Bootstrap, ","))
	}
	n.child = exec.Command(program, arguments...)
	n.child.Stderr = os.Stderr
	// It ends with this process, however that ends.
	n.child.SysProcAttr = dieWithParent()
	if err := n.child.Start(); err != nil {
		os.RemoveAll(folder)
		return nil, nil, err
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if connection, err := net.Dial("unix", n.control); err == nil {
			connection.Close()
			break
		} else if time.Now().After(deadline) {
			n.close()
			return nil, nil, err
		}
	}
	line := fields{"peer": id.String(), "version": fmt.Sprintf("go-libp2p's daemon p2pd of hivemind %s", daemonVersion)}
	return n, line, nil
}

func (n *daemonNode) close() {
	n.child.Process.Signal(os.Interrupt)
	done := make(chan struct{})
	go func() {
		n.child.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(2 * time.Second):
		n.child.Process.Kill()
	}
	os.RemoveAll(n.folder)
}

func varintField(to []byte, number protowire.Number, value uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(to, number, protowire.VarintType), value)
}

func bytesField(to []byte, number protowire.Number, value []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(to, number, protowire.BytesType), value)
}

// The fields of a message, by number: values of bytes as they are, numbers as varints.
func parse(message []byte) (map[protowire.Number][][]byte, error) {
	all := map[protowire.Number][][]byte{}
	for len(message) > 0 {
		number, kind, length := protowire.ConsumeTag(message)
		if length < 0 {
			return nil, protowire.ParseError(length)
		}
		message = message[length:]
		value, whole := []byte(nil), 0
		if kind == protowire.BytesType {
			value, whole = protowire.ConsumeBytes(message)
		} else {
			whole = protowire.ConsumeFieldValue(number, kind, message)
			value = message[:max(whole, 0)]
		}
		if whole < 0 {
			return nil, protowire.ParseError(whole)
		}
		all[number] = append(all[number], value)
		message = message[whole:]
	}
	return all, nil
}

func number(values [][]byte) uint64 {
	if len(values) == 0 {
		return 0
	}
	value, _ := protowire.ConsumeVarint(values[0])
	return value
}

func readMessage(from *bufio.Reader) (map[protowire.Number][][]byte, error) {
	length, err := binary.ReadUvarint(from)
	if err != nil {
		return nil, err
	}
	if length > messageBytesMax {
		return nil, errors.New("the daemon's answer is too long")
	}
	message := make([]byte, length)
	if _, err := io.ReadFull(from, message); err != nil {
		return nil, err
	}
	return parse(message)
}

// One request on a connection of its own, and the answer; what follows the answer is read from the reader.
func (n *daemonNode) ask(kind uint64, part protowire.Number, body []byte) (map[protowire.Number][][]byte, *bufio.Reader, func(), error) {
	connection, err := net.Dial("unix", n.control)
	if err != nil {
		return nil, nil, nil, err
	}
	connection.SetDeadline(time.Now().Add(2 * patience))
	message := varintField(nil, 1, kind)
	if part != 0 {
		message = bytesField(message, part, body)
	}
	reader := bufio.NewReader(connection)
	_, err = connection.Write(append(protowire.AppendVarint(nil, uint64(len(message))), message...))
	if err == nil {
		var answer map[protowire.Number][][]byte
		if answer, err = readMessage(reader); err == nil {
			if number(answer[1]) != 0 {
				err = errors.New(errorText(answer[2]))
			} else {
				return answer, reader, func() { connection.Close() }, nil
			}
		}
	}
	connection.Close()
	return nil, nil, nil, err
}

func errorText(values [][]byte) string {
	if len(values) > 0 {
		if inner, err := parse(values[0]); err == nil && len(inner[1]) > 0 {
			return string(inner[1][0])
		}
	}
	return "the daemon gives no reason"
}

func (n *daemonNode) dht(body []byte) (map[protowire.Number][][]byte, *bufio.Reader, func(), error) {
	body = varintField(body, 7, uint64(patience/time.Second))
	return n.ask(typeDHT, 5, body)
}

// A peer and its addresses.
func peerInfo(message []byte) (string, []string, error) {
	inner, err := parse(message)
	if err != nil || len(inner[1]) == 0 {
		return "", nil, errors.Join(err, errors.New("a peer without an id"))
	}
	id, err := peer.IDFromBytes(inner[1][0])
	if err != nil {
		return "", nil, err
	}
	addresses := []string{}
	for _, bytes := range inner[2] {
		address, err := ma.NewMultiaddrBytes(bytes)
		if err != nil {
			return "", nil, err
		}
		text, _, _ := strings.Cut(address.String(), "/p2p/")
		addresses = append(addresses, text)
	}
	return id.String(), addresses, nil
}

// The CID of a namespace, as go's routing discovery makes it.
func cid(namespace string) []byte {
	hash := sha256.Sum256([]byte(namespace))
	return append([]byte{0x01, 0x55, 0x12, 0x20}, hash[:]...)
}

func (n *daemonNode) do(r request) (fields, error) {
	switch r.Do {
	case "addresses":
		answer, _, done, err := n.ask(typeIdentify, 0, nil)
		if err != nil {
			return nil, err
		}
		defer done()
		if len(answer[4]) == 0 {
			return nil, errors.New("the daemon does not say who it is")
		}
		_, addresses, err := peerInfo(answer[4][0])
		return fields{"addresses": withPeer(addresses, n.id)}, err
	case "dial":
		info, err := peer.AddrInfoFromString(r.Address)
		if err != nil {
			return nil, err
		}
		body := bytesField(nil, 1, []byte(info.ID))
		for _, address := range info.Addrs {
			body = bytesField(body, 2, address.Bytes())
		}
		_, _, done, err := n.ask(typeConnect, 2, varintField(body, 3, uint64(patience/time.Second)))
		if err == nil {
			done()
		}
		return nil, err
	case "peers":
		answer, _, done, err := n.ask(typeListPeers, 0, nil)
		if err != nil {
			return nil, err
		}
		defer done()
		peers := []string{}
		for _, message := range answer[6] {
			id, _, err := peerInfo(message)
			if err != nil {
				return nil, err
			}
			peers = append(peers, id)
		}
		return fields{"peers": peers}, nil
	case "disconnect":
		id, err := peer.Decode(r.Peer)
		if err != nil {
			return nil, err
		}
		_, _, done, err := n.ask(typeDisconnect, 7, bytesField(nil, 1, []byte(id)))
		if err == nil {
			done()
		}
		return nil, err
	case "provide":
		_, _, done, err := n.dht(bytesField(varintField(nil, 1, dhtProvide), 3, cid(r.Namespace)))
		if err == nil {
			done()
		}
		return nil, err
	case "find":
		return n.find(r.Namespace)
	case "find_peer":
		id, err := peer.Decode(r.Peer)
		if err != nil {
			return nil, err
		}
		answer, _, done, err := n.dht(bytesField(varintField(nil, 1, dhtFindPeer), 2, []byte(id)))
		if err != nil {
			return nil, err
		}
		defer done()
		if len(answer[5]) == 0 {
			return nil, errors.New("not found")
		}
		value, err := parse(answer[5][0])
		if err != nil || len(value[2]) == 0 {
			return nil, errors.Join(err, errors.New("not found"))
		}
		_, addresses, err := peerInfo(value[2][0])
		return fields{"addresses": addresses}, err
	}
	return nil, cannot("go's daemon is asked for its DHT only, not: " + r.Do)
}

func (n *daemonNode) find(namespace string) (fields, error) {
	body := bytesField(varintField(nil, 1, dhtFindProviders), 3, cid(namespace))
	_, reader, done, err := n.dht(varintField(body, 6, findCount))
	if err != nil {
		return nil, err
	}
	defer done()
	peers := []fields{}
	for {
		value, err := readMessage(reader)
		if err != nil {
			return nil, err
		}
		if number(value[1]) == dhtEnd {
			return fields{"peers": peers}, nil
		}
		for _, message := range value[2] {
			id, addresses, err := peerInfo(message)
			if err != nil {
				return nil, err
			}
			peers = append(peers, fields{"peer": id, "addresses": addresses})
		}
	}
}
