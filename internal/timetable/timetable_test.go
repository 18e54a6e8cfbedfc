package timetable_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/timetable"
)

func parse(t testing.TB, expression, zone string) timetable.Timetable {
	t.Helper()
	tt, err := timetable.Parse(expression, zone)
	if err != nil {
		t.Fatal(err)
	}
	return tt
}

// instant reads "2027-03-14 01:59" as the clock of a zone showed it, with an offset where that is not enough.
func instant(t testing.TB, s string) time.Time {
	t.Helper()
	at, err := time.Parse("2006-01-02 15:04 -07:00", s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// shown lists occurrences as the clock shows them, with its offset and what a change did to them.
func shown(os []timetable.Occurrence) []string {
	out := make([]string, 0, len(os))
	for _, o := range os {
		out = append(out, strings.TrimSpace(o.At.Format("2006-01-02 15:04 -07:00")+" "+string(o.Change)))
	}
	return out
}

func TestTimesAroundAChangeOfTheClock(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, cron, zone, after string
		want                    []string
	}{
		{"Toronto skips 02:30", "30 2 * * *", "America/Toronto", "2027-03-13 00:00 -05:00", []string{
			"2027-03-13 02:30 -05:00", "2027-03-14 03:00 -04:00 skipped", "2027-03-15 02:30 -04:00",
		}},
		{"several skipped times are one", "0,20,40 2 * * *", "America/Toronto", "2027-03-14 00:00 -05:00", []string{
			"2027-03-14 03:00 -04:00 skipped", "2027-03-15 02:00 -04:00",
		}},
		{"a skipped time and the first after the gap are one", "0 2,3 * * *", "America/Toronto", "2027-03-14 00:00 -05:00", []string{
			"2027-03-14 03:00 -04:00 skipped", "2027-03-15 02:00 -04:00",
		}},
		{"Toronto repeats 01:30", "30 1 * * *", "America/Toronto", "2027-11-06 00:00 -04:00", []string{
			"2027-11-06 01:30 -04:00", "2027-11-07 01:30 -04:00 repeated", "2027-11-08 01:30 -05:00",
		}},
		{"asked in the repeated hour", "30 1 * * *", "America/Toronto", "2027-11-07 01:10 -05:00", []string{"2027-11-08 01:30 -05:00"}},
		{"every 15 minutes of named hours", "*/15 1-2 * * *", "America/Toronto", "2027-11-07 01:20 -04:00", []string{
			"2027-11-07 01:30 -04:00 repeated", "2027-11-07 01:45 -04:00 repeated", "2027-11-07 02:00 -05:00",
		}},
		{"every half hour goes on through a repeated hour", "*/30 * * * *", "America/Toronto", "2027-11-07 00:45 -04:00", []string{
			"2027-11-07 01:00 -04:00", "2027-11-07 01:30 -04:00", "2027-11-07 01:00 -05:00", "2027-11-07 01:30 -05:00", "2027-11-07 02:00 -05:00",
		}},
		{"every half hour makes nothing up for a skipped hour", "*/30 * * * *", "America/Toronto", "2027-03-14 01:15 -05:00", []string{
			"2027-03-14 01:30 -05:00", "2027-03-14 03:00 -04:00", "2027-03-14 03:30 -04:00",
		}},
		{"twenty past every hour", "20 * * * *", "America/Toronto", "2027-03-14 01:00 -05:00", []string{
			"2027-03-14 01:20 -05:00", "2027-03-14 03:20 -04:00",
		}},
		{"St John's, half an hour from the rest", "30 2 * * *", "America/St_Johns", "2027-03-13 12:00 -03:30", []string{
			"2027-03-14 03:00 -02:30 skipped", "2027-03-15 02:30 -02:30",
		}},
		{"St John's changed at one minute past midnight", "30 0 * * *", "America/St_Johns", "2010-03-13 12:00 -03:30", []string{
			"2010-03-14 01:01 -02:30 skipped", "2010-03-15 00:30 -02:30",
		}},
		{"St John's repeated the end of a day", "30 23 * * *", "America/St_Johns", "2010-11-06 12:00 -02:30", []string{
			"2010-11-06 23:30 -02:30 repeated", "2010-11-07 23:30 -03:30",
		}},
		{"Paris skips 02:15", "15 2 * * *", "Europe/Paris", "2027-03-28 00:00 +01:00", []string{
			"2027-03-28 03:00 +02:00 skipped", "2027-03-29 02:15 +02:00",
		}},
		{"Paris repeats 02:15", "15 2 * * *", "Europe/Paris", "2027-10-31 00:00 +02:00", []string{
			"2027-10-31 02:15 +02:00 repeated", "2027-11-01 02:15 +01:00",
		}},
		{"Apia skipped a whole day", "0 9 * * *", "Pacific/Apia", "2011-12-28 12:00 -10:00", []string{
			"2011-12-29 09:00 -10:00", "2011-12-31 00:00 +14:00 skipped", "2011-12-31 09:00 +14:00",
		}},
		{"Apia's skipped day had no hours", "0 */12 * * *", "Pacific/Apia", "2011-12-29 11:00 -10:00", []string{
			"2011-12-29 12:00 -10:00", "2011-12-31 00:00 +14:00 skipped", "2011-12-31 12:00 +14:00",
		}},
		{"Kwajalein had one day less too", "@daily", "Pacific/Kwajalein", "1993-08-19 12:00 -12:00", []string{
			"1993-08-20 00:00 -12:00", "1993-08-22 00:00 +12:00 skipped", "1993-08-23 00:00 +12:00",
		}},
		{"Lord Howe changes by half an hour", "15 2 * * *", "Australia/Lord_Howe", "2027-10-02 12:00 +10:30", []string{
			"2027-10-03 02:30 +11:00 skipped", "2027-10-04 02:15 +11:00",
		}},
		{"Lord Howe repeats half an hour", "*/15 * * * *", "Australia/Lord_Howe", "2027-04-04 01:25 +11:00", []string{
			"2027-04-04 01:30 +11:00", "2027-04-04 01:45 +11:00", "2027-04-04 01:30 +10:30", "2027-04-04 01:45 +10:30", "2027-04-04 02:00 +10:30",
		}},
		{"Kolkata never changes", "30 2 * * *", "Asia/Kolkata", "2027-03-13 00:00 +05:30", []string{
			"2027-03-13 02:30 +05:30", "2027-03-14 02:30 +05:30", "2027-03-15 02:30 +05:30",
		}},
		{"nor does UTC", "@hourly", "UTC", "2027-03-14 01:30 +00:00", []string{"2027-03-14 02:00 +00:00", "2027-03-14 03:00 +00:00"}},
		{"a leap day", "0 12 29 2 *", "UTC", "2027-01-01 00:00 +00:00", []string{"2028-02-29 12:00 +00:00", "2032-02-29 12:00 +00:00"}},
		{"working days", "0 9 * * 1-5", "America/Toronto", "2027-01-01 12:00 -05:00", []string{"2027-01-04 09:00 -05:00", "2027-01-05 09:00 -05:00"}},
		{"a Sunday at every hour", "0 * * * 0", "America/Toronto", "2027-03-13 12:00 -05:00", []string{
			"2027-03-14 00:00 -05:00", "2027-03-14 01:00 -05:00", "2027-03-14 03:00 -04:00",
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got := parse(t, tc.cron, tc.zone).Upcoming(instant(t, tc.after), time.Time{}, len(tc.want))
			if diff := cmp.Diff(tc.want, shown(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestExpressionsAndZonesThatAreRefused(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ cron, zone, field, says string }{
		{"", "UTC", "cron", "five fields"},
		{"* * * *", "UTC", "cron", "4 fields where there must be five"},
		{"0 0 9 * * 1", "UTC", "cron", "6 fields where there must be five"},
		{"61 * * * *", "UTC", "cron", "61"},
		{"0 9 * * 7", "UTC", "cron", "0 (Sunday, which is not 7)"},
		{"0 9 L * *", "UTC", "cron", `the day of the month "L" is not accepted: it takes 1 to 31`},
		{"*/0 * * * *", "UTC", "cron", "step"},
		{", * * * *", "UTC", "cron", "never come due"},
		{"0 0 30 2 *", "UTC", "cron", "there is no such date"},
		{"@every 5m", "UTC", "cron", "*/15 * * * *"},
		{"@fortnightly", "UTC", "cron", "use @hourly"},
		{"TZ=Europe/Paris 0 9 * * *", "UTC", "cron", "field of its own"},
		{"CRON_TZ=", "UTC", "cron", "field of its own"},
		{strings.Repeat("0", 300), "UTC", "cron", "five fields"},
		{"@daily", "", "zone", "America/Toronto"},
		{"@daily", "Local", "zone", "there is no zone"},
		{"@daily", "America/Montréal", "zone", "there is no zone"},
		{"@daily", "../etc/passwd", "zone", "there is no zone"},
		{"@daily", strings.Repeat("x", 500), "zone", "…"},
	} {
		_, err := timetable.Parse(tc.cron, tc.zone)
		e, ok := err.(*growth.Error) //nolint:errorlint // Parse returns it bare
		if !ok || e.Code != growth.Invalid || e.Field != tc.field || !strings.Contains(e.Message, tc.says) {
			t.Errorf("Parse(%q, %q) = %v (%+v), want a fault of %s that says %q", tc.cron, tc.zone, err, e, tc.field, tc.says)
		}
	}
}

var zones = []string{
	"America/Toronto", "America/St_Johns", "Europe/Paris", "Pacific/Apia", "Australia/Lord_Howe", "Asia/Kolkata", "UTC", "Africa/Casablanca",
	"America/Sao_Paulo", "Pacific/Kwajalein", "Asia/Gaza",
}

// What Next means, by the slowest way: each reading of the clock, minute by minute, has one instant.
func TestNextIsTheFirstInstantThatMatches(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		zone := rapid.SampledFrom(zones).Draw(r, "zone")
		loc, err := time.LoadLocation(zone)
		if err != nil {
			r.Fatal(err)
		}
		hour, minute := rapid.IntRange(0, 23).Draw(r, "hour"), rapid.IntRange(0, 59).Draw(r, "minute")
		tt := parse(t, fmt.Sprintf("%d %d * * *", minute, hour), zone)
		// Half of the time close to a change of the clock.
		from := time.Unix(rapid.Int64Range(700_000_000, 2_500_000_000).Draw(r, "from"), 0).In(loc)
		if _, end := from.ZoneBounds(); !end.IsZero() && rapid.Bool().Draw(r, "near a change") {
			from = end.Add(-time.Duration(rapid.IntRange(0, 48*60).Draw(r, "minutes before")) * time.Minute)
		}
		o, ok := tt.Next(from)
		if !ok || !o.At.After(from) {
			r.Fatalf("Next(%v) = %v, %v", from, o, ok)
		}
		for at := from.Truncate(time.Minute).Add(time.Minute); at.Before(o.At); at = at.Add(time.Minute) {
			local := at.In(loc)
			if local.Hour() == hour && local.Minute() == minute && firstShowing(local) {
				r.Fatalf("%v shows the time for the first time, and Next(%v) is %v", local, from, o.At)
			}
		}
		local := o.At.In(loc)
		natural := local.Hour() == hour && local.Minute() == minute
		if natural == (o.Change == timetable.Skipped) {
			r.Fatalf("Next(%v) = %v, said to be %q", from, local, o.Change)
		}
		if o.Change == timetable.Skipped && wall(o.At)-wall(o.At.Add(-time.Minute)) <= 60 {
			r.Fatalf("%v is said to lie behind a gap", local)
		}
	})
}

func wall(at time.Time) int64 {
	_, offset := at.Zone()
	return at.Unix() + int64(offset)
}

// firstShowing says whether the clock had not shown the same reading within the day before.
func firstShowing(at time.Time) bool {
	for d := time.Minute; d <= 25*time.Hour; d += time.Minute {
		if wall(at.Add(-d)) == wall(at) {
			return false
		}
	}
	return true
}

func TestDueDividesWhatIsDoneFromWhatIsLate(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for _, tc := range []struct {
		name, cron, from, now, end string
		within                     time.Duration
		most                       int
		run                        []string
		missedFrom, missedUntil    string
		next                       string
	}{
		{
			"on time", "0 9 * * *", "2027-01-04 09:00 +00:00", "2027-01-04 09:00 +00:00", "", time.Minute, 1,
			[]string{"04 09:00"},
			"", "", "05 09:00",
		},
		{
			"an outage of three days, none", "0 9 * * *", "2027-01-04 09:00 +00:00", "2027-01-06 12:00 +00:00", "", time.Minute, 1,
			nil, "04 09:00", "07 09:00", "07 09:00",
		},
		{
			"an outage of three days, last", "0 9 * * *", "2027-01-04 09:00 +00:00", "2027-01-06 12:00 +00:00", "", day, 1,
			[]string{"06 09:00"},
			"04 09:00", "06 09:00", "07 09:00",
		},
		{
			"an outage of three days, all", "0 9 * * *", "2027-01-04 09:00 +00:00", "2027-01-06 12:00 +00:00", "", 7 * day, 10,
			[]string{"04 09:00", "05 09:00", "06 09:00"},
			"", "", "07 09:00",
		},
		{
			"no more than the newest two", "0 9 * * *", "2027-01-04 09:00 +00:00", "2027-01-06 12:00 +00:00", "", 7 * day, 2,
			[]string{"05 09:00", "06 09:00"},
			"04 09:00", "05 09:00", "07 09:00",
		},
		{
			"no older than a day", "0 9 * * *", "2027-01-01 09:00 +00:00", "2027-01-06 09:00 +00:00", "", day, 10,
			[]string{"05 09:00", "06 09:00"},
			"01 09:00", "05 09:00", "07 09:00",
		},
		{
			"the end came first", "0 9 * * *", "2027-01-04 09:00 +00:00", "2027-01-06 12:00 +00:00", "2027-01-05 09:00 +00:00", 7 * day, 10,
			[]string{"04 09:00", "05 09:00"},
			"", "", "",
		},
		{
			"the end and nothing to do", "0 9 * * *", "2027-01-04 09:00 +00:00", "2027-01-09 12:00 +00:00", "2027-01-05 09:00 +00:00", time.Minute, 1,
			nil, "04 09:00", "", "",
		},
		{
			"the times were changed meanwhile", "0 10 * * *", "2027-01-04 09:00 +00:00", "2027-01-04 09:30 +00:00", "", day, 1,
			nil, "", "", "04 10:00",
		},
		{
			"every minute for a year", "* * * * *", "2026-01-04 09:00 +00:00", "2027-01-04 09:00 +00:00", "", 3 * time.Minute, 2,
			[]string{"04 08:59", "04 09:00"},
			"2026-01-04 09:00", "04 08:59", "04 09:01",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var end time.Time
			if tc.end != "" {
				end = instant(t, tc.end)
			}
			d := parse(t, tc.cron, "UTC").Due(instant(t, tc.from), instant(t, tc.now), end, tc.within, tc.most)
			var run []string
			for _, at := range d.Run {
				run = append(run, brief(at))
			}
			got := []any{run, brief(d.MissedFrom), brief(d.MissedUntil), brief(d.Next)}
			if diff := cmp.Diff([]any{tc.run, tc.missedFrom, tc.missedUntil, tc.next}, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// brief writes an instant of January 2027 by day and time.
func brief(at time.Time) string {
	switch {
	case at.IsZero():
		return ""
	case at.Year() == 2027:
		return at.UTC().Format("02 15:04")
	}
	return at.UTC().Format("2006-01-02 15:04")
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"0 9 * * 1-5", "@daily", "*/7 1-3,9 L * ?", "TZ=x 0", "CRON_TZ=", "@every 1s", "0-59/60 * 1 * *", "* * * * 99999999999999999999"} {
		f.Add(s, "America/Toronto")
	}
	f.Fuzz(func(t *testing.T, expression, zone string) {
		tt, err := timetable.Parse(expression, zone)
		if err != nil {
			if growth.CodeOf(err) != growth.Invalid {
				t.Errorf("code = %v", growth.CodeOf(err))
			}
			return
		}
		now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
		if o, ok := tt.Next(now); ok && !o.At.After(now) {
			t.Errorf("Next = %v", o.At)
		}
	})
}

func BenchmarkNext(b *testing.B) {
	tt := parse(b, "0 9 * * 1", "America/Toronto")
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for b.Loop() {
		tt.Next(now)
	}
}
