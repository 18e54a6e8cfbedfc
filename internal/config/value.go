package config

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// AppEnv says what the installation is for.
type AppEnv string

// The environments.
const (
	Development AppEnv = "development"
	Test        AppEnv = "test"
	Production  AppEnv = "production"
)

// UnmarshalText accepts the names of the environments and nothing else.
func (e *AppEnv) UnmarshalText(b []byte) error {
	switch v := AppEnv(b); v {
	case Development, Test, Production:
		*e = v
		return nil
	}
	return fmt.Errorf("unknown environment")
}

// SimulatorMode says when the simulator stands in for the outside world.
type SimulatorMode string

// The modes of the simulator. SimulatorAuto: when no provider is configured.
const (
	SimulatorAuto SimulatorMode = "auto"
	SimulatorOn   SimulatorMode = "on"
	SimulatorOff  SimulatorMode = "off"
)

// UnmarshalText accepts the names of the modes and nothing else.
func (m *SimulatorMode) UnmarshalText(b []byte) error {
	switch v := SimulatorMode(b); v {
	case SimulatorAuto, SimulatorOn, SimulatorOff:
		*m = v
		return nil
	}
	return fmt.Errorf("unknown mode")
}

// Millis is a duration that the environment gives in whole milliseconds.
type Millis time.Duration

// Duration is the value as the standard library knows it.
func (m Millis) Duration() time.Duration { return time.Duration(m) }

// UnmarshalText reads whole milliseconds.
func (m *Millis) UnmarshalText(b []byte) error {
	n, err := strconv.ParseInt(string(b), 10, 32)
	*m = Millis(time.Duration(n) * time.Millisecond)
	return err
}

// Seconds is a duration that the environment gives in whole seconds.
type Seconds time.Duration

// Duration is the value as the standard library knows it.
func (s Seconds) Duration() time.Duration { return time.Duration(s) }

// UnmarshalText reads whole seconds.
func (s *Seconds) UnmarshalText(b []byte) error {
	n, err := strconv.ParseInt(string(b), 10, 32)
	*s = Seconds(time.Duration(n) * time.Second)
	return err
}

// List is a list with commas between its members; blanks around them and empty members are dropped.
type List []string

// UnmarshalText splits at the commas.
func (l *List) UnmarshalText(b []byte) error {
	*l = nil
	for part := range strings.SplitSeq(string(b), ",") {
		if part = strings.TrimSpace(part); part != "" {
			*l = append(*l, part)
		}
	}
	return nil
}

// Prefixes is a list of networks; a single address is a network of one.
type Prefixes []netip.Prefix

// UnmarshalText reads addresses and networks with commas between them.
func (p *Prefixes) UnmarshalText(b []byte) error {
	var parts List
	if err := parts.UnmarshalText(b); err != nil {
		return err
	}
	*p = nil
	for _, part := range parts {
		prefix, err := parsePrefix(part)
		if err != nil {
			return err
		}
		*p = append(*p, prefix)
	}
	return nil
}

// Contains says whether ip lies in one of the networks.
func (p Prefixes) Contains(ip netip.Addr) bool {
	for _, prefix := range p {
		if prefix.Contains(ip.Unmap()) {
			return true
		}
	}
	return false
}

func parsePrefix(s string) (netip.Prefix, error) {
	if strings.Contains(s, "/") {
		prefix, err := netip.ParsePrefix(s)
		return prefix.Masked(), err
	}
	ip, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, err
	}
	return ip.Unmap().Prefix(ip.Unmap().BitLen())
}
