package main

func startDaemon(r request) (peerNode, fields, error) { return startHost(r) }
