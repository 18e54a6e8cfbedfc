package main

import (
	"errors"
	"testing"

	growth "github.com/zakibelm/astrogrowth"
)

func TestRefusalsOfTheAPIAreWordedForTheCommandLine(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		command []string
		said    string
		want    string
	}{
		{[]string{"import", "undo"}, "path.id: expected string to be RFC 4122 uuid: invalid UUID length: 4", "ID: this is no id; ids are UUIDs such as " + someID},
		{[]string{"jobs", "list"}, `query.state: expected value to be one of "queued, running"`, "--state: use one of queued, running"},
		{[]string{"jobs", "list"}, "query.campaign_id: expected string to be RFC 4122 uuid: invalid UUID length: 1", "--campaign: this is no id; ids are UUIDs such as " + someID},
		{[]string{"jobs", "list"}, "query.limit: expected number <= 200", "--limit: use at most 200"},
		{[]string{"leads", "list"}, "query.grade: expected string to match pattern ^[ABC][123]?$", "--grade: use A1 to C3, or A to C"},
		{[]string{"schedules", "add"}, "body.zone: expected length >= 1", "--zone: a value is missing"},
		{[]string{"schedules", "add"}, "cron: these are 4 fields where there must be five", "--cron: these are 4 fields where there must be five"},
		{[]string{"keys", "create"}, "body.scopes[0]: use one of enqueue, read, approve, admin", "--scopes: use one of enqueue, read, approve, admin"},
		{[]string{"jobs", "tail"}, "Last-Event-ID: use the id of an event, such as 7341-88", "--after: use the id of an event, such as 7341-88"},
		{[]string{"schedules", "add"}, "job.topic: is too long", "job.topic: is too long"},
	} {
		cmd, _, err := newRoot(surroundings{}).Find(tc.command)
		if err != nil {
			t.Fatal(err)
		}
		if got := inFlags(cmd, growth.Errorf(growth.Invalid, "", "%s", tc.said)); got != tc.want {
			t.Errorf("%v: %q, want %q", tc.command, got, tc.want)
		}
		if got := inFlags(cmd, errors.New(tc.said)); got != tc.said {
			t.Errorf("%v: an error of our own is reworded: %q", tc.command, got)
		}
	}
}
