package timetable_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/timetable"
)

func TestReadingsOfAClock(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ reading, zone, want string }{
		{"2027-03-14T02:30", "America/Toronto", "2027-03-14 03:00 -04:00 skipped"},
		{"2027-03-14T01:59", "America/Toronto", "2027-03-14 01:59 -05:00"},
		{"2027-11-07T01:30:00", "America/Toronto", "2027-11-07 01:30 -04:00 repeated"},
		{"2027-11-07T02:00", "America/Toronto", "2027-11-07 02:00 -05:00"},
		{"2027-03-14 02:15", "America/St_Johns", "2027-03-14 03:00 -02:30 skipped"},
		{"2027-11-07T01:10", "America/St_Johns", "2027-11-07 01:10 -02:30 repeated"},
		{"2027-03-28T02:30", "Europe/Paris", "2027-03-28 03:00 +02:00 skipped"},
		{"2027-10-31T02:30", "Europe/Paris", "2027-10-31 02:30 +02:00 repeated"},
		{"2027-03-14T02:30", "America/Regina", "2027-03-14 02:30 -06:00"},
		{"2027-11-07T01:30", "America/Regina", "2027-11-07 01:30 -06:00"},
		{"2028-02-29T09:00", "America/Regina", "2028-02-29 09:00 -06:00"},
	} {
		o, err := timetable.At(tc.reading, tc.zone)
		if err != nil {
			t.Errorf("%s in %s: %v", tc.reading, tc.zone, err)
			continue
		}
		if got := shown([]timetable.Occurrence{o})[0]; got != tc.want {
			t.Errorf("%s in %s = %s, want %s", tc.reading, tc.zone, got, tc.want)
		}
	}
}

func TestReadingsThatAreNone(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ reading, zone, field string }{
		{"2027-02-29T09:00", "America/Toronto", "publish_at"},
		{"tomorrow", "America/Toronto", "publish_at"},
		{"2027-03-14T25:00", "America/Toronto", "publish_at"},
		{"", "America/Toronto", "publish_at"},
		{"2027-03-14T09:00", "", "zone"},
		{"2027-03-14T09:00", "Local", "zone"},
		{"2027-03-14T09:00", "Mars/Olympus", "zone"},
	} {
		_, err := timetable.At(tc.reading, tc.zone)
		if growth.CodeOf(err) != growth.Invalid || field(err) != tc.field {
			t.Errorf("%q in %q: %v, want a fault of %s", tc.reading, tc.zone, err, tc.field)
		}
	}
}

func TestWeekOfSlots(t *testing.T) {
	t.Parallel()
	w, err := timetable.ParseWeek("America/Toronto", []growth.PostingSlot{
		{Days: []string{"mon", "Wed"}, Time: "09:00"}, {Days: []string{"sun"}, Time: "02:30"}, {Days: []string{"sun"}, Time: "02:45"},
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []timetable.Occurrence
	for at := instant(t, "2027-03-12 00:00 -05:00"); len(got) < 4; {
		o, ok := w.Next(at)
		if !ok {
			t.Fatal("the week ended")
		}
		got, at = append(got, o), o.At
	}
	want := []string{ // both slots of the skipped hour fall on one instant
		"2027-03-14 03:00 -04:00 skipped", "2027-03-15 09:00 -04:00", "2027-03-17 09:00 -04:00", "2027-03-21 02:30 -04:00",
	}
	if diff := cmp.Diff(want, shown(got)); diff != "" {
		t.Error(diff)
	}
	if _, ok := (timetable.Week{}).Next(time.Now()); ok {
		t.Error("an empty week has a slot")
	}
}

func TestSlotsThatAreNone(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		zone  string
		slot  growth.PostingSlot
		field string
	}{
		{"America/Toronto", growth.PostingSlot{Days: []string{"mon"}, Time: "9am"}, "slots[0].time"},
		{"America/Toronto", growth.PostingSlot{Days: []string{"lundi"}, Time: "09:00"}, "slots[0].days"},
		{"America/Toronto", growth.PostingSlot{Time: "09:00"}, "slots[0].days"},
		{"Nowhere", growth.PostingSlot{Days: []string{"mon"}, Time: "09:00"}, "zone"},
	} {
		if _, err := timetable.ParseWeek(tc.zone, []growth.PostingSlot{tc.slot}); field(err) != tc.field {
			t.Errorf("%+v: %v, want a fault of %s", tc.slot, err, tc.field)
		}
	}
}

// field is the input that an error is about.
func field(err error) string {
	if e, ok := errors.AsType[*growth.Error](err); ok {
		return e.Field
	}
	return ""
}
