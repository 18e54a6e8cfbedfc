package config_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/zakibelm/astrogrowth/internal/config"
)

const value = "hunter2"

func TestSecretNeverPrintsItself(t *testing.T) {
	t.Parallel()
	s := config.NewSecret(value)
	holder := struct{ Key config.Secret }{s}
	var outputs []string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%10.3s", "%T"} {
		outputs = append(outputs, fmt.Sprintf(verb, s), fmt.Sprintf(verb, &s), fmt.Sprintf(verb, holder), fmt.Sprintf(verb, []config.Secret{s}))
	}
	b, err := json.Marshal(map[string]any{"a": s, "b": holder, "c": config.Secrets{s}})
	if err != nil {
		t.Fatal(err)
	}
	var buf bytes.Buffer
	log := zerolog.New(&buf)
	log.Info().Interface("a", s).Stringer("b", s).Object("c", s).Any("d", holder).Str("e", fmt.Sprint(s)).Msg("x")
	outputs = append(outputs, string(b), buf.String(), fmt.Sprint(fmt.Errorf("using %v", s)))
	for _, out := range outputs {
		if strings.Contains(strings.ToLower(out), value) || strings.Contains(strings.ToLower(out), fmt.Sprintf("%x", value)) {
			t.Errorf("the secret shows in %s", out)
		}
	}
	if got := fmt.Sprintf("%#v", s); got != "[secret]" {
		t.Errorf("%%#v = %q, want [secret]", got)
	}
	if strings.Count(string(b), "[secret]") != 3 {
		t.Errorf("JSON = %s, want three placeholders", b)
	}
	if s.Reveal() != value {
		t.Errorf("Reveal() = %q", s.Reveal())
	}
}

func TestUnsetSecretPrintsNothing(t *testing.T) {
	t.Parallel()
	if got := fmt.Sprint(config.Secret{}); got != "" {
		t.Errorf("got %q, want nothing", got)
	}
}

func TestWholeConfigCanBePrinted(t *testing.T) {
	t.Parallel()
	c := load(t, map[string]string{"OPENROUTER_API_KEY": value, "DATABASE_URL": "postgres://u:" + value + "@h/d", "ENCRYPTION_KEYS_OLD": goodKey})
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{fmt.Sprintf("%+v", c), fmt.Sprintf("%#v", c), string(b)} {
		if strings.Contains(out, value) || strings.Contains(out, goodKey) {
			t.Errorf("a secret shows in %s", out)
		}
	}
}
