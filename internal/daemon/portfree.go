package daemon

import (
	"context"
	"net"
)

// PortFree says whether a server could listen at addr now; the error names the variable that sets the port.
func PortFree(ctx context.Context, addr, variable string) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return Server{Addr: addr, Name: "port check", Variable: variable}.listenError(err)
	}
	return listener.Close()
}
