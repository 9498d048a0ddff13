package main

import "syscall"

// The wheel that go-libp2p's daemon comes in; see ./build.
const daemonVersion = "1.1.12"

// A child that is killed when this process ends.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
