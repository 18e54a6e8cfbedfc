package store_test

import (
	"slices"
	"testing"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/store"
)

// The score in force after a merge is a person's if there is one, else the newest automated one, whichever lead had it.
func TestMergeKeepsThePersonsScoreElseTheNewest(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	type side struct{ automated, person int } // 0: none
	type scored struct {
		id growth.LeadID
		side
		fingerprint string
	}
	for _, tc := range []struct {
		name        string
		goes, stays side
		late        bool // the one that goes is scored last
		want        int
		overridden  bool
	}{
		{"only the one that goes was judged", side{20, 90}, side{automated: 9}, false, 90, true},
		{"only the one that stays was judged", side{automated: 20}, side{9, 80}, false, 80, true},
		{"both were judged: the newer word counts", side{20, 90}, side{9, 80}, false, 80, true},
		{"nobody judged: the newest automated score", side{automated: 20}, side{automated: 9}, false, 9, false},
		{"nobody judged: the other was scored last", side{automated: 20}, side{automated: 9}, true, 20, false},
		{"both were judged, the other last", side{20, 90}, side{9, 80}, true, 90, true},
		{"only the one that goes has a score", side{automated: 20}, side{}, false, 20, false},
	} {
		from, into := b.put(named("From "+tc.name, "from "+tc.name))[0].Lead.ID, b.put(named("Into "+tc.name, "into "+tc.name))[0].Lead.ID
		sides := []scored{{from, tc.goes, "from"}, {into, tc.stays, "into"}}
		if tc.late {
			slices.Reverse(sides)
		}
		for _, s := range sides {
			if s.automated > 0 {
				b.qualify(s.id, s.automated, s.fingerprint)
			}
			if s.person > 0 {
				_, err := b.review(s.id, store.ReviewOverride, &s.person)
				b.must(err)
			}
		}
		got, err := b.sc.MergeLeads(b.ctx, store.Merge{From: from, Into: into, By: "ann"}, fill, noKeys)
		b.must(err)
		if got.Score == nil || *got.Score != tc.want || got.Overridden != tc.overridden {
			t.Errorf("%s: score %v, overridden %v; want %d, %v", tc.name, *got.Score, got.Overridden, tc.want, tc.overridden)
		}
		if with := map[bool]string{true: "B1 call", false: "A1 nurture"}[tc.overridden]; got.Grade+" "+got.NextAction != with {
			t.Errorf("%s: grade and next action are %s %s, want %s", tc.name, got.Grade, got.NextAction, with)
		}
		if newest := map[bool]string{true: "into", false: "from"}[tc.stays.automated > 0 && !tc.late]; got.Fingerprint != newest {
			t.Errorf("%s: the score rests on %q, want the newest, %q", tc.name, got.Fingerprint, newest)
		}
	}
}

// A lead whose override was lifted does not lift that of the lead into which it goes.
func TestMergeOfALiftedOverrideLiftsNoOther(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	from, into := b.put(named("Chez A", "a.ca"))[0].Lead.ID, b.put(named("Chez B", "b.ca"))[0].Lead.ID
	score := 90
	for _, id := range []growth.LeadID{into, from} {
		b.qualify(id, 30, string(id))
		_, err := b.review(id, store.ReviewOverride, &score)
		b.must(err)
	}
	_, err := b.review(from, store.ReviewLifted, nil)
	b.must(err)
	got, err := b.sc.MergeLeads(b.ctx, store.Merge{From: from, Into: into}, fill, noKeys)
	b.must(err)
	if *got.Score != 90 || !got.Overridden {
		t.Errorf("score %d, overridden %v; want the 90 that a person gave", *got.Score, got.Overridden)
	}
}
