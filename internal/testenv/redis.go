package testenv

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

// redisDatabases is how many tests of one binary can use Redis at the same time.
const redisDatabases = 512

// Redis returns the address of an empty Redis database that no other test uses; it is emptied when tb ends. FLUSHDB in
// it harms nobody. FLUSHALL does, and Pub/Sub channels know no databases: their names must differ between tests.
func Redis(tb testing.TB) string {
	tb.Helper()
	s := suite(tb)
	r, err := s.redis()
	if err != nil {
		tb.Fatalf("no Redis for the test: %v", err)
	}
	u, err := url.Parse(r.URL())
	if err != nil {
		tb.Fatalf("address of Redis: %v", err)
	}
	var number int
	select {
	case number = <-s.numbers:
	default:
		tb.Fatalf("more than %d tests use Redis at the same time", redisDatabases)
	}
	tb.Cleanup(func() {
		if err := flush(u.Path, number); err != nil {
			tb.Logf("Redis database %d could not be emptied and is not used again: %v", number, err)
			return
		}
		s.numbers <- number
	})
	u.RawQuery = "db=" + strconv.Itoa(number)
	return u.String()
}

// flush empties a database. The two commands are all of the protocol that this package needs.
func flush(socket string, number int) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second) // the test's own context has ended
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return fmt.Errorf("deadline: %w", err)
	}
	replies := bufio.NewReader(conn)
	for _, command := range []string{"SELECT " + strconv.Itoa(number), "FLUSHDB"} {
		if _, err := conn.Write([]byte(command + "\r\n")); err != nil {
			return fmt.Errorf("%s: %w", command, err)
		}
		reply, err := replies.ReadString('\n')
		if err != nil {
			return fmt.Errorf("%s: %w", command, err)
		}
		if !strings.HasPrefix(reply, "+OK") {
			return fmt.Errorf("%s: %s", command, strings.TrimSpace(reply))
		}
	}
	return nil
}
