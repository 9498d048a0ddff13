package main

func startDaemon(r request) (peerNode, fields, error) { return nil, nil, cannot("x") }
