package dashboard

import (
	"testing"

	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/store"
)

func TestAmounts(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ usd, en, fr string }{
		{"0", "0.00\u00a0CAD", "0,00\u00a0CAD"},
		{"1234567.891", "1,234,567.89\u00a0CAD", "1\u202f234\u202f567,89\u00a0CAD"},
		{"0.0312345", "0.0312\u00a0CAD", "0,0312\u00a0CAD"},
		{"0.000123456", "0.000123\u00a0CAD", "0,000123\u00a0CAD"},
		{"0.00504", "0.00504\u00a0CAD", "0,00504\u00a0CAD"},
		{"0.0000000004", "< 0.000001\u00a0CAD", "< 0,000001\u00a0CAD"},
		{"-2.5", "-2.50\u00a0CAD", "-2,50\u00a0CAD"},
	} {
		d := decimal.RequireFromString(tc.usd)
		if got := english.amount(d, "CAD"); got != tc.en {
			t.Errorf("%s in English = %q, want %q", tc.usd, got, tc.en)
		}
		if got := french.amount(d, "CAD"); got != tc.fr {
			t.Errorf("%s in French = %q, want %q", tc.usd, got, tc.fr)
		}
	}
}

func TestASharesIsNeverRoundedUpToItsTarget(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		share  float64
		places int
		want   string
	}{
		{0.99999, 2, "99.99%"}, {0.999, 1, "99.9%"}, {1, 2, "100.00%"}, {0.5996, 1, "59.9%"}, {0.7, 1, "70.0%"}, {0.29, 0, "29%"}, {0, 1, "0.0%"},
	} {
		if got := english.percent(tc.share, tc.places); got != tc.want {
			t.Errorf("%v with %d places = %q, want %q", tc.share, tc.places, got, tc.want)
		}
	}
	if got := french.percent(0.955, 1); got != "95,5\u202f%" {
		t.Errorf("French = %q", got)
	}
}

func TestNumbersAndDurations(t *testing.T) {
	t.Parallel()
	for got, want := range map[string]string{
		english.number(-1234): "-1,234", english.number(999): "999", french.number(12345): "12\u202f345",
		english.millis(840): "840\u00a0ms", english.millis(1240): "1.24\u00a0s", french.millis(61000): "61,00\u00a0s",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestTargetsAreJudgedByWhatIsKnown(t *testing.T) {
	t.Parallel()
	dollars := decimal.RequireFromString
	base := measured{
		days:   []store.Day{{Hits: 61, Misses: 39}},
		health: store.ChainHealth{Answered: 939, Minutes: 1000, UpMinutes: 999, Failovers: 100, FailoversOK: 96, CostUSD: dollars("3.5")},
		cad:    dollars("1.40"), cadKnown: true, latency: store.Latency{Avg: 1999},
	}
	for _, tc := range []struct {
		name   string
		change func(*measured)
		id     string
		want   Verdict
	}{
		{"cache above", func(*measured) {}, "cache", VerdictMet},
		{"cache exactly at 60 %", func(m *measured) { m.days = []store.Day{{Hits: 60, Misses: 40}} }, "cache", VerdictMissed},
		{"cache without requests", func(m *measured) { m.days = nil }, "cache", VerdictNone},
		{"latency below", func(*measured) {}, "latency", VerdictMet},
		{"latency at 2 s", func(m *measured) { m.latency.Avg = 2000 }, "latency", VerdictMissed},
		{"uptime at 99.9 %", func(*measured) {}, "uptime", VerdictMet},
		{"uptime below", func(m *measured) { m.health.UpMinutes = 998 }, "uptime", VerdictMissed},
		{"failover above", func(*measured) {}, "failover", VerdictMet},
		{"failover at 95 %", func(m *measured) { m.health.FailoversOK = 95 }, "failover", VerdictMissed},
		{"no failover", func(m *measured) { m.health.Failovers, m.health.FailoversOK = 0, 0 }, "failover", VerdictNone},
		{"cost 4.90 CAD", func(*measured) {}, "cost", VerdictMet},
		{"cost above", func(m *measured) { m.health.CostUSD = dollars("3.6") }, "cost", VerdictMissed},
		{"cost partly unknown", func(m *measured) { m.health.Unknown = 1 }, "cost", VerdictOpen},
		{"cost above, the rest unknown", func(m *measured) { m.health.Unknown, m.health.CostUSD = 1, dollars("9") }, "cost", VerdictMissed},
		{"cost without a rate", func(m *measured) { m.cadKnown = false }, "cost", VerdictOpen},
		{"cost of nothing", func(m *measured) { m.health.Answered, m.days = 0, nil }, "cost", VerdictNone},
	} {
		m := base
		tc.change(&m)
		for _, target := range targets(m) {
			if target.ID == tc.id && target.Verdict != tc.want {
				t.Errorf("%s: %s (%+v), want %s", tc.name, target.Verdict, target, tc.want)
			}
		}
	}
}

func TestFoldCountsAsLinkedInDoes(t *testing.T) {
	t.Parallel()
	rocket := "🚀" // two UTF-16 units
	text := ""
	for range 110 {
		text += rocket
	}
	above, below := splitFold(text)
	if len([]rune(above)) != 105 || above+below != text {
		t.Errorf("%d rockets above the fold, want 105", len([]rune(above)))
	}
	if c := cardOf(growth.Content{Body: "Bonjour #café", Hashtags: []string{"#café", "#Québec"}}); c.Above != "Bonjour #café\n\n#Québec" || c.Below != "" {
		t.Errorf("text = %q %q", c.Above, c.Below)
	}
}
