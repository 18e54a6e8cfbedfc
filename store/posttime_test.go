package store_test

import (
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/store"
)

// somewhen is a time of a post, far enough away that no test meets it.
func somewhen(account growth.AccountID) growth.PostTime {
	return growth.PostTime{
		AccountID: account, Source: growth.PostAtWall, Local: "2027-07-01T09:00:00", Zone: "America/Toronto",
		At: time.Date(2027, 7, 1, 13, 0, 0, 0, time.UTC),
	}
}

// plannedPost accepts a publish job whose post has a time.
func (b *bed) plannedPost(account growth.AccountID) growth.JobID {
	b.tb.Helper()
	t := somewhen(account)
	return b.accept(func(j *store.NewJob) {
		j.Type, j.Input, j.Options.RunAt = growth.JobLinkedInPublish, []byte(`{"text":"Bonjour"}`), &t.At
		j.Post = &store.PostWish{Time: t}
	})
}
