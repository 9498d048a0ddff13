package main

import (
	"encoding/hex"
	"encoding/json"
)

// What go-libp2p's example pubsub/chat sends, as it declares it.
type chatMessage struct {
	Message    string
	SenderID   string
	SenderNick string
}

// Encodes a line as that example does.
func encodeChat(r request) (fields, error) {
	data, err := json.Marshal(chatMessage{Message: r.Text, SenderID: r.Sender, SenderNick: r.Nick})
	return fields{"data": hex.EncodeToString(data)}, err
}

// Reads one as that example does; what it refuses is an error.
func decodeChat(r request) (fields, error) {
	data, err := hex.DecodeString(r.Data)
	if err != nil {
		return nil, err
	}
	message := new(chatMessage)
	err = json.Unmarshal(data, message)
	return fields{"text": message.Message, "sender": message.SenderID, "nick": message.SenderNick}, err
}
