// Command subscriber prints what happens in a workspace at once and misses nothing: Redis Pub/Sub says when to look, and
// the API says what there is. It is an example, kept whole by its test.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	channel = "astrogrowth:events"
	quiet   = time.Second      // a stream that says nothing for so long has said what there was
	anyway  = 30 * time.Second // between two looks when nobody says that something happened
)

// event is an event as GET /v1/events gives it.
type event struct {
	ID    string          `json:"id"`
	Type  string          `json:"type"`
	JobID string          `json:"job_id"`
	Data  json.RawMessage `json:"data"`
	At    time.Time       `json:"at"`
}

// subscriber is what listens. A program that must go on where it stood keeps last where a restart finds it.
type subscriber struct {
	base, key string
	last      string // id of the last event that was had
	quiet     time.Duration
	out       io.Writer
}

func main() {
	if err := listen(); err != nil {
		fmt.Fprintln(os.Stderr, "subscriber:", err)
		os.Exit(1)
	}
}

// listen runs the subscriber until it is interrupted.
func listen() error {
	s := subscriber{quiet: quiet, out: os.Stdout}
	flag.StringVar(&s.base, "url", "http://localhost:3000", "address of AstroGrowth")
	flag.StringVar(&s.key, "key", "", "API key with the scope read; a fresh `make run` needs none")
	flag.StringVar(&s.last, "after", "", "begin behind the event with this id; default: with what happens next")
	address := flag.String("redis", "redis://localhost:6379/0", "REDIS_URL of AstroGrowth")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := s.run(ctx, *address); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

// run listens until ctx ends. A notice is a hint and may be lost, so each one only makes the subscriber look; so does a
// subscription that was made anew, since nobody knows what was said in between, and so does the clock.
func (s *subscriber) run(ctx context.Context, address string) error {
	options, err := redis.ParseURL(address)
	if err != nil {
		return fmt.Errorf("read the address of Redis: %w", err)
	}
	rdb := redis.NewClient(options)
	defer func() { _ = rdb.Close() }()
	sub := rdb.Subscribe(ctx, channel)
	defer func() { _ = sub.Close() }()
	hints := sub.ChannelWithSubscriptions() // subscriptions too: the first, and each one after a cut
	clock := time.NewTicker(anyway)
	defer clock.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-clock.C:
		case hint, open := <-hints:
			if !open {
				return errors.New("the subscription ended")
			}
			if _, again := hint.(*redis.Subscription); again {
				s.say("listening")
			}
			drain(hints)
		}
		if err := s.look(ctx); err != nil {
			s.say("the API does not answer: %v", err) // the next look reads on where this one stopped
		}
	}
}

// drain takes the hints that have come meanwhile: one look answers them all.
func drain(hints <-chan any) {
	for {
		select {
		case _, open := <-hints:
			if !open {
				return
			}
		default:
			return
		}
	}
}

// look reads the events behind the last one that was had, in their order.
func (s *subscriber) look(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base+"/v1/events?after="+url.QueryEscape(s.last), nil)
	if err != nil {
		return fmt.Errorf("make the request: %w", err)
	}
	if s.key != "" {
		req.Header.Set("Authorization", "Bearer "+s.key)
	}
	resp, err := (&http.Client{}).Do(req)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	defer func() { _ = resp.Body.Close() }() // it has been read as far as it goes
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("listen: %s", resp.Status)
	}
	enough := time.AfterFunc(s.quiet, cancel)
	defer enough.Stop()
	return s.read(resp.Body, func() { enough.Reset(s.quiet) })
}

// read takes events until the stream ends. An event that was cut in the middle comes whole with the next look.
func (s *subscriber) read(body io.Reader, heard func()) error {
	id, data := "", ""
	lines := bufio.NewScanner(body)
	lines.Buffer(make([]byte, 0, 64<<10), 16<<20)
	for lines.Scan() {
		heard()
		name, value, _ := strings.Cut(lines.Text(), ":")
		switch value = strings.TrimSpace(value); {
		case name == "id":
			id = value
		case name == "data":
			data = value
		case lines.Text() == "" && id != "": // an id without data says where the stream begins
			if err := s.take(data); err != nil {
				return err
			}
			s.last, id, data = id, "", ""
		}
	}
	return nil // we left, or were cut off: the id says where to go on
}

// take is what this program does with an event.
func (s *subscriber) take(data string) error {
	if data == "" {
		return nil
	}
	var e event
	if err := json.Unmarshal([]byte(data), &e); err != nil {
		return fmt.Errorf("read an event: %w", err)
	}
	s.say("%s %s %s", e.Type, e.JobID, e.Data)
	return nil
}

// say writes one line. Nothing can be done about a terminal that went away.
func (s *subscriber) say(format string, args ...any) { _, _ = fmt.Fprintf(s.out, format+"\n", args...) }
